"""A run's table read a part at a time is the table read whole."""

from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from store_runs import END, header

from labctl import store
from labctl.contracts import READING_COLUMNS, Block
from labctl.quantities import Column
from labctl.store import sliced

COLUMNS = (*READING_COLUMNS, Column("cycle", "", "int64"))


def written(folder: Path, cycles: list[int]) -> Path:
    writer = store.RunWriter.create(folder / "run.h5", header(columns=COLUMNS))
    rows = len(cycles)
    if rows:
        table = {c.name: np.arange(rows).astype(c.dtype) for c in READING_COLUMNS}
        writer.append(Block({**table, "cycle": np.array(cycles)}))
    return writer.finish("finished", end_time=END)


@pytest.mark.parametrize("cycles", [[1, 1, 1, 2, 3, 3, 3, 3, 3, 4, 1, 1], [7], [], [2] * 20])
@pytest.mark.parametrize("at_once", [1, 3, 100])
def test_cycles_come_whole_whatever_is_read_at_once(tmp_path: Path, cycles: list[int], at_once: int) -> None:
    whole = store.read(written(tmp_path, cycles))
    with mock.patch.object(sliced, "AT_ONCE", at_once), store.open_sliced(tmp_path / "run.h5") as run:
        parts = list(run.cycles())
        assert len(run) == len(cycles)
    assert all(np.ptp(part["cycle"]) == 0 for part in parts)
    for name in [column.name for column in COLUMNS] if parts else []:
        np.testing.assert_array_equal(np.concatenate([part[name] for part in parts]), whole[name])
    starts = sum(a != b for a, b in zip(cycles, [None, *cycles], strict=False))
    assert len(parts) == starts


def test_only_what_is_asked_for_is_read(tmp_path: Path) -> None:
    with store.open_sliced(written(tmp_path, [1, 1, 2])) as run:
        assert list(run.part(1, 3, ["current"])) == ["current"]
        assert [list(part) for part in run.cycles(["current"])] == [["current", "cycle"]] * 2
        with pytest.raises(KeyError):
            run.part(0, 1, ["no such column"])
        assert len(list(run.cycles(key="no such column"))) == 1


def test_a_journal_is_read_as_well_and_anything_else_refused(tmp_path: Path) -> None:
    writer = store.RunWriter.create(tmp_path / "live.h5", header(columns=READING_COLUMNS))
    writer.append(Block({c.name: np.arange(3).astype(c.dtype) for c in READING_COLUMNS}))
    with store.open_sliced(tmp_path / "live.jrn") as run:
        assert run.part(1, 3)["current"].tolist() == [1.0, 2.0]
    writer.finish("finished", end_time=END)
    (tmp_path / "x.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(500))
    with pytest.raises(store.StoreError, match="damaged"), store.open_sliced(tmp_path / "x.h5"):
        pass
