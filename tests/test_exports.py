"""Tables of runs in other programs' formats: every number back, with its unit and where it is from."""

import io
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pd_runs
import pytest
from click.testing import CliRunner
from scipy.io import loadmat

from labctl import exports, store
from labctl.cli.export import command
from labctl.errors import UsageError
from labctl.exports import matlab, provenance, tables
from labctl.plugins import folders
from labctl.quantities import Column


def columns_of(found: Any) -> dict[str, np.ndarray]:
    return {column.name: found[column.name] for column in pd_runs.COLUMNS}


def same(one: np.ndarray, other: np.ndarray) -> bool:
    return one.dtype == other.dtype and np.array_equal(one, other, equal_nan=one.dtype.kind == "f")


def test_csv_reads_back_to_the_same_numbers() -> None:
    pandas = pytest.importorskip("pandas")
    run = pd_runs.run(pd_runs.table(reads=0.01))
    text = exports.make(run, "csv").files[".csv"]
    frame = pandas.read_csv(io.BytesIO(text), comment="#")
    assert list(frame.columns) == [column.heading for column in pd_runs.COLUMNS]
    for column in pd_runs.COLUMNS:
        assert same(frame[column.heading].to_numpy(), run[column.name]), column.name


def test_csv_says_which_run_it_is_from_and_with_which_parameters() -> None:
    lines = exports.make(pd_runs.run(), "csv").files[".csv"].decode().splitlines()
    assert f"# run: {pd_runs.UUID}" in lines
    assert "# parameter v_read: 0.5 V" in lines
    assert '# parameter scheme: "constant"' in lines
    assert re.search(r"^# data sha256: [0-9a-f]{64}$", "\n".join(lines), flags=re.MULTILINE)


def test_a_text_of_the_file_cannot_leave_its_comment() -> None:
    run = pd_runs.run(title="x\n1,2,3\r4\x1b[31m", parameters={"v_read\n": {"value": "a\nb", "unit": "V"}})
    lines = exports.make(run, "csv").files[".csv"].decode().splitlines()
    head = next(number for number, line in enumerate(lines) if not line.startswith("#"))
    assert lines[head].startswith("time (s),")
    assert len(lines) == head + 1 + len(run)
    assert "\x1b" not in "".join(lines)


def test_the_hash_of_the_run_file_is_in_it(tmp_path: Path) -> None:
    import hashlib

    path = pd_runs.saved(tmp_path / "run.h5")
    facts = provenance.facts(store.read(path))
    assert facts["file sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert facts["run"] == pd_runs.UUID
    assert facts["data sha256"] == provenance.facts(pd_runs.run())["data sha256"], "the same numbers, whatever the file"


def test_parquet_has_numbers_units_and_origin() -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    run = pd_runs.run()
    table = pq.read_table(io.BytesIO(exports.make(run, "parquet").files[".parquet"]))
    for column in pd_runs.COLUMNS:
        assert same(table[column.name].to_numpy(), run[column.name])
        assert table.schema.field(column.name).metadata[b"unit"].decode() == column.unit
    assert pd_runs.UUID.encode() in table.schema.metadata[b"labctl.provenance"]
    assert b'"v_read"' in table.schema.metadata[b"labctl.parameters"]


def test_mat_reads_back_with_units_and_parameters() -> None:
    run = pd_runs.run(parameters={"v_read": {"value": 0.5, "unit": "V"}, "list": {"value": [1.0, 2.0], "unit": "A"}})
    found = loadmat(io.BytesIO(exports.make(run, "mat").files[".mat"]), simplify_cells=True)["run"]
    for column in pd_runs.COLUMNS:
        assert same(found["data"][column.name], run[column.name])
    assert found["units"]["conductance"] == "S"
    assert found["parameters"]["v_read"] == 0.5
    assert found["parameters"]["list"].tolist() == [1.0, 2.0]
    assert found["parameter_units"]["v_read"] == "V"
    assert found["provenance"]["run"] == pd_runs.UUID


def test_names_of_fields_are_what_matlab_takes() -> None:
    long = "a" * 40
    names = matlab.field_names([long, long + "b", "1st", "v max", "v_max", "ä", "_x", ""])
    assert len(set(names.values())) == len(names)
    assert all(name.isascii() and name.isidentifier() and len(name) <= 31 for name in names.values())
    assert all(name[0].isalpha() for name in names.values())
    assert names["v_max"] != names["v max"]


def test_pandas_and_xarray_have_units_and_origin() -> None:
    pytest.importorskip("pandas")
    pytest.importorskip("xarray")
    run = pd_runs.run()
    frame, data = exports.to_pandas(run), exports.to_xarray(run)
    for column in pd_runs.COLUMNS:
        assert same(frame[column.name].to_numpy(), run[column.name])
        assert same(data[column.name].to_numpy(), run[column.name])
        assert frame.attrs["units"][column.name] == column.unit
    assert data["current"].attrs["units"] == "A"
    assert "compliance" in data["status"].attrs["flag_meanings"]
    assert frame.attrs["provenance"]["run"] == data.attrs["run"] == pd_runs.UUID
    assert frame.attrs["parameters"]["v_read"] == {"value": 0.5, "unit": "V"}


def test_a_path_will_do_for_a_run(tmp_path: Path) -> None:
    pytest.importorskip("pandas")
    path = pd_runs.saved(tmp_path / "run.h5")
    assert exports.to_pandas(path).attrs["provenance"]["file"] == "run.h5"
    assert len(exports.to_pandas(str(path))) == len(pd_runs.run())


def test_a_missing_library_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr(tables.importlib, "import_module", missing)
    with pytest.raises(UsageError, match=r"pip install 'labctl\[export\]'"):
        exports.to_pandas(pd_runs.run())


def test_what_cannot_be_exported_is_refused_in_a_line() -> None:
    with pytest.raises(UsageError, match="there is no format 'xls'; there are csv, "):
        exports.make(pd_runs.run(), "xls")
    empty = {name: column[:0] for name, column in pd_runs.table().items()}
    with pytest.raises(UsageError, match="no rows"):
        exports.make(pd_runs.run(empty), "csv")


def test_files_are_named_after_the_run_or_as_asked_and_never_written_over_unasked(tmp_path: Path) -> None:
    path = pd_runs.saved(tmp_path / "run.h5")
    run = store.read(path)
    written, _ = exports.write(run, "csv", tmp_path / "out")
    assert written == [tmp_path / "out" / "run.csv"]
    before = written[0].read_bytes()
    with pytest.raises(UsageError, match="--force"):
        exports.write(run, "csv", tmp_path / "out")
    assert exports.write(run, "csv", tmp_path / "out", force=True)[0] == written
    assert written[0].read_bytes() == before
    named, _ = exports.write(run, "aihwkit", tmp_path / "cell.csv")
    assert named == [tmp_path / "cell.csv", tmp_path / "cell.aihwkit.json"]


def test_nothing_is_written_unless_all_of_it_can_be(tmp_path: Path) -> None:
    run = store.read(pd_runs.saved(tmp_path / "run.h5"))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "run.aihwkit.json").write_text("mine")
    with pytest.raises(UsageError, match="there already"):
        exports.write(run, "aihwkit", tmp_path / "out")
    assert [item.name for item in (tmp_path / "out").iterdir()] == ["run.aihwkit.json"]


def test_a_unit_with_a_comma_stays_in_its_cell() -> None:
    columns = (Column("x", 'a,"b'), Column("y", "V"))
    table = {"x": np.array([1.0, np.inf]), "y": np.array([np.nan, -0.1])}
    run = pd_runs.run(table, columns=columns, plot=store.PlotSpec("y", ("x",)))
    lines = exports.make(run, "csv").files[".csv"].decode().splitlines()
    assert lines[-3:] == ['"x (a,""b)",y (V)', "1.0,nan", "inf,-0.1"]


def test_the_command_exports_and_refuses_in_one_line(tmp_path: Path) -> None:
    path = pd_runs.saved(tmp_path / "run.h5")
    runner = CliRunner()
    done = runner.invoke(command, [str(path), "--to", "neurosim"])
    assert done.exit_code == 0, done.output
    assert str(tmp_path / "run.neurosim.cpp") in done.output.splitlines()
    again = runner.invoke(command, [str(path), "--to", "neurosim"])
    assert isinstance(again.exception, UsageError)
    assert "--force" in str(again.exception)
    assert runner.invoke(command, [str(path), "--to", "neurosim", "--force"]).exit_code == 0
    two = runner.invoke(command, [str(path), str(path), "--to", "csv", "--out", str(tmp_path / "one.csv")])
    assert "give a folder" in str(two.exception)
    assert not (tmp_path / "one.csv").exists()
    helped = runner.invoke(command, ["--help"]).output
    assert all(name in helped for name in exports.FORMATS)
    assert "labctl export runs/my-run.h5 --to csv" in helped


def test_the_page_names_every_format_and_every_ending() -> None:
    page = next(path for folder in folders("data") if (path := folder / "exports.md").is_file()).read_text("utf-8")
    for to in exports.FORMATS:
        assert f"`{to}`" in page, to
        if to == "parquet":
            pytest.importorskip("pyarrow")
        for ending in exports.make(pd_runs.run(), to).files:
            assert f"`{ending}`" in page, ending


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege on Windows")
def test_a_run_file_is_never_written_over_by_what_is_made_of_it(tmp_path: Path) -> None:
    path = pd_runs.saved(tmp_path / "good.h5")
    before, renamed = path.read_bytes(), tmp_path / "good.csv"
    with pytest.raises(UsageError, match=r"does not end in \.csv"):
        exports.write(store.read(path), "csv", path, force=True)
    path.rename(renamed)
    (tmp_path / "link.csv").symlink_to(renamed)
    for out in (renamed, tmp_path / "link.csv", tmp_path):
        with pytest.raises(UsageError, match="is read for it"):
            exports.write(store.read(renamed), "csv", out, force=True)
    other = pd_runs.saved(tmp_path / "other.h5")
    with pytest.raises(UsageError, match="is read for it"):
        exports.write_all([store.read(other), store.read(renamed)], "csv", tmp_path, force=True)
    assert renamed.read_bytes() == before
    assert sorted(item.name for item in tmp_path.iterdir()) == ["good.csv", "link.csv", "other.h5"]


def test_two_runs_of_one_name_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    for folder in ("a", "b", "c"):
        (tmp_path / folder).mkdir()
    paths = [pd_runs.saved(tmp_path / name) for name in ("a/other.h5", "a/run.h5", "b/run.h5")]
    done = CliRunner().invoke(command, [*map(str, paths), "--to", "csv", "--out", str(tmp_path / "c")])
    assert "would both be written to" in str(done.exception)
    assert list((tmp_path / "c").iterdir()) == []
    beside = CliRunner().invoke(command, [*map(str, paths), "--to", "csv"])
    assert beside.exit_code == 0, beside.output
    assert (tmp_path / "a" / "run.csv").exists()
    assert (tmp_path / "b" / "run.csv").exists()


def test_one_run_that_cannot_be_exported_keeps_all_from_being_written(tmp_path: Path) -> None:
    good = pd_runs.saved(tmp_path / "good.h5")
    empty = pd_runs.saved(tmp_path / "x.h5", {name: column[:0] for name, column in pd_runs.table().items()})
    with pytest.raises(UsageError, match="no rows"):
        exports.write_all([store.read(good), store.read(empty)], "csv", tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())


def test_a_unit_of_a_parameter_stays_in_its_line() -> None:
    run = pd_runs.run(parameters={"p": {"value": 1.0, "unit": "V\n9,9,9\r8"}})
    lines = exports.make(run, "csv").files[".csv"].decode().splitlines()
    assert "# parameter p: 1.0 V 9,9,9 8" in lines
    head = next(number for number, line in enumerate(lines) if not line.startswith("#"))
    assert len(lines) == head + 1 + len(run)


def test_texts_are_no_formulas_of_a_spreadsheet_and_numbers_stay_numbers() -> None:
    columns = (Column("x", "V"), Column("y", "V"))
    table = {"x": np.array([-1.0, 1.0]), "y": np.array([-0.5, 2.0])}
    said = {"p": {"value": "a,=b()", "unit": ""}, "q": {"value": [1.0, -2.0], "unit": "V"}}
    run = pd_runs.run(table, columns=columns, plot=store.PlotSpec("y", ("x",)), sample="x; @y,-z", parameters=said)
    lines = exports.make(run, "csv").files[".csv"].decode().splitlines()
    assert lines[-3:] == ["x (V),y (V)", "-1.0,-0.5", "1.0,2.0"]
    assert "# sample: x; '@y,'-z" in lines
    assert '# parameter p: "a,\'=b()"' in lines
    assert "# parameter q: [1.0, -2.0] V" in lines
    device = exports.make(pd_runs.run(sample="=cmd()"), "memdevice-bench").files[".memdevice.csv"].decode()
    assert device.splitlines()[1].startswith("'=cmd(),1,1,potentiation,")
