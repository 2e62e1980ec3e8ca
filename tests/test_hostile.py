"""Run files, journals and station files are data: whatever is in them, one clear error, at once, and nothing is executed."""

import json
import os
import pickle
import re
import subprocess
import sys
import time
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from commandline import labctl
from store_runs import block, header, record, writer

from labctl import station, store
from labctl.errors import UsageError
from labctl.store import frames

TEXT = h5py.string_dtype("utf-8")
HEAVY = 40 * 2**20  # bytes Python and NumPy may take to refuse a file of 0.1 MB; what h5py itself loads is less


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    run = writer(tmp_path_factory.mktemp("good"))
    record(run)
    whole = run.finish("finished").read_bytes()
    store.read(run.path)  # whatever is loaded the first time is not part of what a refusal takes
    return whole


def refused(path: Path) -> str:
    """Why `store.read` refuses the file; it does so in a second, with little memory, in one line that names the file."""
    tracemalloc.start()
    begin = time.perf_counter()
    try:
        with pytest.raises(store.StoreError) as caught:
            store.read(path)
        took, (_, peak) = time.perf_counter() - begin, tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600
    assert took < 1.0
    assert peak < HEAVY
    return str(caught.value)


# -- structure of a run file --------------------------------------------------------------------------------------------
def swap(file: Any, name: str, make: Callable[[Any, str], Any]) -> None:
    del file[name]
    make(file, name)


def data(value: Any, **more: Any) -> Callable[[Any, str], Any]:
    return lambda file, name: file.create_dataset(name, data=value, **more)


def hollow(shape: tuple[int, ...], dtype: Any = "<f8", **more: Any) -> Callable[[Any, str], Any]:
    return lambda file, name: file.create_dataset(name, shape=shape, dtype=dtype, **more)


def attribute(value: Any, **more: Any) -> Callable[[Any, str], Any]:
    def make(file: Any, name: str) -> None:
        place, _, key = name.partition("@")
        attributes = file[place or "/"].attrs
        del attributes[key]
        if value is not None:
            attributes.create(key, value, **more)

    return make


def virtual(file: Any, name: str) -> None:
    layout = h5py.VirtualLayout(shape=(13,), dtype="<f8")
    layout[:] = h5py.VirtualSource("/etc/hostname", "x", shape=(13,))
    file.create_virtual_dataset(name, layout)


def external(file: Any, name: str) -> None:
    file.create_dataset(name, shape=(13,), dtype="<f8", external=[("/etc/passwd", 0, 104)])


def one_text_many_times(file: Any, name: str) -> None:
    """A million texts of 100 kB each, of which only one is stored."""
    made = file.create_dataset(name, shape=(1000,), dtype=TEXT, chunks=(1000,), compression="gzip")
    made[...] = ["x" * 100_000] + [""] * 999
    raw = made.id.read_direct_chunk((0,))[1]
    pointers = zlib.decompress(raw)
    del file[name]
    made = file.create_dataset(name, shape=(1_000_000,), dtype=TEXT, chunks=(1_000_000,), compression="gzip")
    made.id.write_direct_chunk((0,), zlib.compress(pointers[:16] * 1_000_000, 9))


def plugin_filter(file: Any, name: str) -> None:
    plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plan.set_chunk((13,))
    plan.set_filter(h5py.h5z.FILTER_DEFLATE, h5py.h5z.FLAG_OPTIONAL, (4,))
    plan.set_filter(h5py.h5z.FILTER_DEFLATE, h5py.h5z.FLAG_OPTIONAL, (4,))
    space = h5py.h5s.create_simple((13,))
    h5py.h5d.create(file.id, name.encode(), h5py.h5t.IEEE_F64LE, space, plan)
    file[name][...] = 1.0


def note(**changes: Any) -> Callable[[Any, str], Any]:
    """Other values in the arrays of the notes."""

    def make(file: Any, name: str) -> None:
        for key, values in changes.items():
            old = file[f"{name}/{key}"][...]
            del file[f"{name}/{key}"]
            kind = TEXT if old.dtype.kind == "O" else None
            file[name].create_dataset(key, data=np.array(values, object if kind else None), dtype=kind)

    return make


def head(change: Callable[[dict[str, Any]], object], text: str | None = None) -> Callable[[Any, str], Any]:
    def make(file: Any, name: str) -> None:
        found = json.loads(file[name][()])
        change(found)
        del file[name]
        file.create_dataset(name, data=json.dumps(found) if text is None else text, dtype=TEXT)

    return make


def put(**values: Any) -> Callable[[Any, str], Any]:
    return head(lambda found: found.update(values))


STRUCTURE: list[tuple[str, Callable[[Any, str], Any], str]] = [
    # a group where a dataset should be, and the other way round; what is missing
    ("entry", data(1.0), "/entry is no group"),
    ("entry/data", data(np.zeros(3)), "/entry/data is no group"),
    ("entry/data/current", lambda f, n: f.create_group(n), "/entry/data/current is no dataset"),
    ("entry/process/header", lambda f, n: f.create_group(n), "header is no dataset"),
    ("entry", lambda f, n: None, "/entry is missing"),
    ("entry/process", lambda f, n: None, "/entry/process is missing"),
    ("entry/stimuli/details", lambda f, n: None, "details is missing"),
    ("entry/events", lambda f, n: None, "events is missing"),
    ("entry/data/level", lambda f, n: None, "level is missing"),
    # links to elsewhere
    ("entry/data/current", lambda f, n: f.__setitem__(n, h5py.ExternalLink("/etc/passwd", "/x")), "is a link to elsewhere"),
    ("entry", lambda f, n: f.__setitem__(n, h5py.ExternalLink("other.h5", "/entry")), "is a link to elsewhere"),
    ("entry/data/current", lambda f, n: f.__setitem__(n, h5py.SoftLink("/entry/data/level")), "is a link to elsewhere"),
    ("entry/data/current", virtual, "keeps its values in other files"),
    ("entry/data/current", external, "keeps its values in other files"),
    # values of another kind or shape
    ("entry/data/current", data(np.zeros(13, "<i8")), "holds int64, not float64"),
    ("entry/data/current", data(np.zeros(13, "<f4")), "holds float32"),
    ("entry/data/current", data(["a"] * 13, dtype=TEXT), "holds object"),
    ("entry/data/status", data(np.zeros(13)), "holds float64, not int64"),
    ("entry/data/current", data(np.zeros((13, 2))), r"has shape \(13, 2\)"),
    ("entry/data/current", data(np.zeros(12)), r"has shape \(12,\), not \(13,\)"),
    ("entry/data/current", data(1.0), r"has shape \(\)"),
    ("entry/data/current", data(h5py.Empty("<f8")), "is empty"),
    ("entry/data/current", lambda f, n: f.create_dataset(n, data=[f.ref] * 13, dtype=h5py.ref_dtype), "holds object"),
    ("entry/process/header", data(np.array([1, 2])), "not text"),
    ("entry/process/header", data(["{}"], dtype=TEXT), "is an array"),
    ("entry/end_time", data(5), "not text"),
    ("entry/end_time", data("yesterday", dtype=TEXT), "is not an ISO 8601 time"),
    ("entry/stimuli/time", data(["x", "y"], dtype=TEXT), "holds object"),
    ("entry/stimuli/id", data(np.array([1])), r"has shape|not \(1,\)"),
    ("entry/stimuli/details", data([1.0, 2.0]), "not text"),
    ("entry/stimuli/kind", data([b"\xff", b"b"], dtype=h5py.string_dtype("ascii")), "can't decode"),
    # claims of size that nothing stands behind
    ("entry/data/current", hollow((2**40,)), "claims 8796093022208 bytes, but 0 are stored"),
    ("entry/data/current", hollow((2**61,), chunks=(2**20,)), "but 0 are stored"),
    ("entry/data/current", hollow((13,), chunks=(2**28,), maxshape=(None,)), "but 0 are stored"),
    ("entry/stimuli/details", hollow((2**34,), TEXT), "but 0 are stored"),
    ("entry/stimuli/details", hollow((2, ), "S1000000000", chunks=(1,)), "but 0 are stored"),
    ("entry/stimuli/kind", one_text_many_times, r"more text than the file|has shape"),
    ("entry/data/current", plugin_filter, "needs filters"),
    ("entry/data/current", hollow((13,), chunks=(13,), compression="lzf"), "needs filters"),
    # attributes
    ("@labctl_format_version", attribute("one"), "is no integer"),
    ("@labctl_format_version", attribute([1, 1]), "is no single value"),
    ("@labctl_format_version", attribute(-1), "run-file format -1"),
    ("@labctl_format_version", attribute(2**63, dtype="u8"), "run-file format 9223372036854775808"),
    ("@labctl_format_version", attribute(None), "not a run file of labctl"),
    ("entry@end_state", attribute(None), "end_state is missing"),
    ("entry@end_state", attribute(3.0), "is no text"),
    ("entry@end_state", attribute("running"), "can't have ended as 'running'"),
    ("entry@end_state", attribute(["finished", "finished"], dtype=TEXT), "is no single value"),
    ("entry@end_reason", attribute(h5py.Empty("S1")), "is no single value"),
    ("entry@run_duration", attribute("long"), "is no number"),
    ("entry@lost_bytes", attribute(0.5), "is no integer"),
    ("entry@recovered_bytes", attribute(None), "recovered_bytes is missing"),
    # notes
    ("entry/stimuli", note(outcome=["done", "maybe"]), "has an outcome there is not"),
    ("entry/stimuli", note(details=["[]", "{}"]), "are a list"),
    ("entry/stimuli", note(details=["{", "{}"]), "damaged"),
    ("entry/stimuli", note(details=["[" * 100_000, "{}"]), "damaged"),
    ("entry/stimuli", note(details=["9" * 5000, "{}"]), "damaged"),
    ("entry/stimuli", note(outcome_details=["[1]", "null"]), "has an outcome there is not"),
    ("entry/stimuli", note(id=[0, 1]), "below what there can be"),
    ("entry/stimuli", note(row=[-5, 1]), "below what there can be"),
    ("entry/events", note(details=["null"]), "are a NoneType"),
    # the header
    ("entry/process/header", head(lambda h: None, "not json"), "header of the run can't be understood"),
    ("entry/process/header", head(lambda h: None, "[" * 50_000), "header of the run can't be understood"),
    ("entry/process/header", head(lambda h: None, "[1, 2]"), "header of the run can't be understood"),
    ("entry/process/header", head(lambda h: None, '{"$float": "x"}'), "header of the run can't be understood"),
    ("entry/process/header", head(lambda h: h.pop("columns")), "header of the run can't be understood"),
    ("entry/process/header", put(columns=[]), "at least one column"),
    ("entry/process/header", put(columns=[5]), "can't be understood"),
    ("entry/process/header", put(columns=[{"name": "../../x"}]), "must be letters"),
    ("entry/process/header", put(columns=[{"name": 5}]), "must hold texts"),
    ("entry/process/header", put(columns=[{"name": "a", "dtype": "object"}]), "must be float64 or int64"),
    ("entry/process/header", put(columns=[{"name": "a", "dtype": "V1000000000"}]), "must be float64 or int64"),
    ("entry/process/header", put(title=5), "title is a int"),
    ("entry/process/header", put(procedure={"__reduce__": "os.system"}), "procedure is a dict"),
    ("entry/process/header", put(simulated="yes"), "simulated is a str"),
    ("entry/process/header", put(seed=True), "seed is a bool"),
    ("entry/process/header", put(instruments=[]), "instruments is a list"),
    ("entry/process/header", put(instruments={"smu": 5}), "instruments must hold mappings"),
    ("entry/process/header", put(parameters={"v": {"value": 1}}), "parameter 'v'"),
    ("entry/process/header", put(parameters={"v": {"value": 1, "unit": 1}}), "must hold texts"),
    ("entry/process/header", put(limits={"a": 1}), "limits is a dict"),
    ("entry/process/header", put(software={"labctl": [1]}), "must hold texts"),
    ("entry/process/header", put(logs={"wire": 5}), "must hold texts"),
    ("entry/process/header", put(start_time="2026"), "start_time"),
    ("entry/process/header", put(plot={"signal": "nothing"}), "can't be understood"),
    ("entry/process/header", put(plot={"signal": ["current"]}), "can't be understood"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "make", "why"), STRUCTURE, ids=[f"{k}-{name}" for k, (name, _, _) in enumerate(STRUCTURE)]
)
def test_a_run_file_that_is_not_one_is_refused(
    name: str, make: Callable[[Any, str], Any], why: str, good: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "run.h5"
    path.write_bytes(good)
    in_place = "@" in name or make.__qualname__.startswith(("note", "head"))
    with h5py.File(path, "r+") as file:
        (make(file, name) if in_place else swap(file, name, make))  # type: ignore[func-returns-value]
    assert re.search(why, refused(path))


@pytest.mark.parametrize("name", ["", ".", "/", "..", "no/such.h5", "x" * 300 + ".h5", "a\0b.h5"])
def test_a_name_that_is_no_file_is_refused(name: str) -> None:
    with pytest.raises(store.StoreError):
        store.read(Path(name))


def test_a_user_block_pickles_and_other_formats_are_no_run_files(tmp_path: Path, good: bytes) -> None:
    cases = {
        "empty.h5": b"", "text.h5": b"hello", "yaml.h5": b"!!python/object/apply:os.system ['touch owned']",
        "pickle.h5": pickle.dumps(print), "block.h5": bytes(512) + good, "half.h5": good[: len(good) // 2],
        "magic.h5": good[:8], "long.h5": b"\x89HDF\r\n\x1a\n" + b"\xff" * 4096, "magic.jrn": frames.MAGIC,
        "zeros.jrn": frames.MAGIC + bytes(1000), "tag.jrn": frames.preamble() + b"HEAD" + b"\xff" * 40,
    }  # fmt: skip
    for name, content in cases.items():
        (tmp_path / name).write_bytes(content)
        refused(tmp_path / name)
        shown = labctl("show", name, folder=tmp_path)
        assert shown.returncode == 1
        assert shown.stderr.count("\n") == 1
        assert "internal error" not in shown.stderr
    assert not (tmp_path / "owned").exists()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs FIFOs")
def test_what_is_no_regular_file_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "run.h5")
    os.mkfifo(tmp_path / "run.jrn")
    os.mkfifo(tmp_path / "bench.yaml")
    (tmp_path / "loop.h5").symlink_to(tmp_path / "loop.h5")
    (tmp_path / "zero.h5").symlink_to("/dev/zero")
    for name in ("run.h5", "run.jrn", "loop.h5", "zero.h5"):
        assert re_any(refused(tmp_path / name), "can't be read", "not a regular file")
    with pytest.raises(store.StoreError, match="not a regular file"):
        store.recover(tmp_path / "run.jrn")
    with pytest.raises(UsageError, match="not a regular file"):
        station.read(tmp_path / "bench.yaml")


def re_any(text: str, *words: str) -> bool:
    return any(word in text for word in words)


def test_a_text_that_claims_more_than_the_file_is_not_made_room_for(tmp_path: Path, good: bytes) -> None:
    """The pointer to a text begins with its length: in an attribute's message, in an array, in a single value."""
    path = tmp_path / "run.h5"
    path.write_bytes(good)
    message = good.index(b"end_reason\0") - 8  # version, flags and three lengths come before the name
    length = int.from_bytes(good[message - 6 : message - 4], "little")  # in the message's head
    with h5py.File(path) as file:
        pointers = [file[name].id.get_offset() for name in ("entry/stimuli/details", "entry/process/header")]
    pointers.append(message + length - 16)
    for pointer in pointers:
        changed = bytearray(good)
        changed[pointer : pointer + 4] = (2**31).to_bytes(4, "little")
        path.write_bytes(changed)
        assert "claims more text than the file holds" in refused(path)


# -- random damage --------------------------------------------------------------------------------------------------------
FUZZ = """
import random, sys
from pathlib import Path
from labctl import store
folder, first, count = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
good = {kind: (folder / f"good.{kind}").read_bytes() for kind in ("h5", "jrn")}
seen = {"read": 0, "refused": 0}
for seed in range(first, first + count):
    chance = random.Random(seed)
    kind = "jrn" if seed % 4 == 0 else "h5"
    data = bytearray(good[kind])
    for _ in range(chance.choice((1, 1, 2, 5, 20, 100))):
        at = chance.randrange(len(data))
        what = chance.randrange(4)
        if what == 0: data[at] ^= 1 << chance.randrange(8)
        elif what == 1: data[at] = chance.randrange(256)
        elif what == 2: data[at : at + 8] = chance.choice((bytes(8), b"\\xff" * 8))[: len(data) - at]
        elif seed % 8 == 1: del data[at : at + chance.randrange(1, 64)]
    path = folder / f"case.{kind}"
    path.write_bytes(data)
    print(seed, end=" ", flush=True)
    try:
        run = store.read(path)
        assert all(len(column) == len(run) for column in run.columns.values())
        seen["read"] += 1
    except store.StoreError as error:
        assert "\\n" not in str(error), error
        seen["refused"] += 1
print(seen)
"""


def fuzz(folder: Path, good: bytes, first: int, count: int, timeout: float) -> dict[str, int]:
    run = writer(folder, "good.h5")
    record(run)
    run.close()
    (folder / "good.h5").write_bytes(good)
    command = [sys.executable, "-c", FUZZ, str(folder), str(first), str(count)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout)
    last = done.stdout.split("{")[0].split()[-1:]
    assert done.returncode == 0, f"seed {last}: {done.stderr[-800:]}"
    found: dict[str, int] = json.loads("{" + done.stdout.rpartition("{")[2].replace("'", '"'))
    return found


def test_random_damage_is_read_or_refused_and_nothing_else(tmp_path: Path, good: bytes) -> None:
    found = fuzz(tmp_path, good, 0, 100, 50)
    assert found["read"] + found["refused"] == 100
    assert min(found.values()) > 10


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_much_random_damage(tmp_path: Path, good: bytes) -> None:
    assert sum(fuzz(tmp_path, good, 1000, 20_000, 1700).values()) == 20_000


# -- journals ---------------------------------------------------------------------------------------------------------------
def journal(folder: Path, **changes: Any) -> Path:
    """The journal of a run that died, with other things in its header than a labctl writes."""
    found = json.loads(header().to_json())
    found.update(changes)
    path = folder / "run.jrn"
    columns = len(found["columns"]) if isinstance(found["columns"], list) else 0
    rows = frames.encode(frames.ROWS, 1.0, bytes(8 * columns * 2), 2)
    path.write_bytes(frames.preamble() + frames.encode(frames.HEAD, 0.0, json.dumps(found).encode()) + rows)
    return path


@pytest.mark.parametrize("name", ["../../outside", "/tmp/outside", "..", "a/b", "C:\\x", "con", ".", ""])
def test_names_in_a_journal_stay_beside_it(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "deep" / "runs"
    folder.mkdir(parents=True)
    made = {"value": 1.0, "unit": "V"}
    path = journal(
        folder, title=name, procedure=name, sample=name, device=name, uuid=name or "-", parameters={name: made},
        instruments={name: {name: {name: 1}, "identity": {name: name}}}, software={name: name}, logs={"wire": name, name: name},
        limits=[{name: name}], setup={name: name}, holder={"host": ""},
    )  # fmt: skip
    made_file = store.recover(path)
    assert made_file == folder / "run.h5"
    assert [item for item in tmp_path.rglob("*") if item.is_file()] == [made_file]
    assert len(store.read(made_file)) == 2
    with h5py.File(made_file) as file:
        assert set(file) == {"entry"}
    assert labctl("show", str(made_file), folder=tmp_path).returncode == 0
    said = labctl("wire", str(made_file), folder=tmp_path)
    assert said.returncode == 2
    assert re_any(said.stderr, "no plain file name", "without a wire log", "does not exist")


@pytest.mark.parametrize(
    "changes",
    [
        {"columns": 5},
        {"columns": [{"name": "a"}] * 2},
        {"parameters": []},
        {"start_time": 5},
        {"plot": None},
        {"holder": "x"},
    ],
)
def test_a_hostile_journal_is_one_clear_error(tmp_path: Path, changes: dict[str, Any]) -> None:
    path = journal(tmp_path, **changes)
    for use in (store.read, store.recover, store.read_header):
        with pytest.raises(store.StoreError, match=r"run\.jrn") as caught:
            use(path)
        assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == [path]


def test_a_header_with_thousands_of_clashing_names_is_packed_at_once(tmp_path: Path) -> None:
    names = {chr(0x4E00 + k) * 3: {"value": k, "unit": ""} for k in range(700)}
    begin = time.perf_counter()
    found = store.read(store.recover(journal(tmp_path, parameters=names)))
    assert found.header.parameters == names
    assert time.perf_counter() - begin < 3  # 0.3 s here


def test_what_a_file_says_moves_no_cursor(tmp_path: Path) -> None:
    run = writer(tmp_path)
    run.event("\x1b[2Jcleared", {"text": "\x1b]0;title\x07", "big": 10**400, "list": ["\x1b[0m"]})
    run.append(block(0, 2))
    path = run.finish("failed", "\x1b[31mred\rover", end_time="2026-11-24T09:31:00+01:00")
    shown = labctl("show", str(path), folder=tmp_path)
    assert shown.returncode == 0
    assert not [c for c in shown.stdout if not c.isprintable() and c != "\n"]
    assert "\\x1b[31mred" in shown.stdout


# -- station files ----------------------------------------------------------------------------------------------------------
STATIONS = {
    "tag": "name: !!python/object/apply:os.system ['touch owned']\n",
    "name": "name: !!python/name:os.system x\n",
    "own tag": "name: !evil x\n",
    "document": "!!python/object:os.x\nname: x\n",
    "bomb": "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
    + "".join(f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 10)}]\n" for i in range(12)),
    "circle": "a: &a [*a]\n",
    "deep": "a: " + "[" * 20_000,
    "deep mappings": "".join(" " * i + "a:\n" for i in range(500)),
    "long": "a: " + "x" * 2**20,
    "many": "".join(f"k{i}: 1\n" for i in range(20_000)),
    "integer": "name: " + "9" * 5000 + "\n",
    "date": "name: 2001-13-45\n",
    "binary": "\x00\x01",
    "nothing": "",
    "list": "- 1\n",
    "keys": "? [a, b]\n: 1\n",
    "two": "name: a\n---\nname: b\n",
}


@pytest.mark.parametrize("case", STATIONS)
def test_a_hostile_station_file_is_refused(case: str, tmp_path: Path) -> None:
    path = tmp_path / "bench.yaml"
    path.write_text(STATIONS[case], encoding="utf-8")
    begin = time.perf_counter()
    with pytest.raises(UsageError, match=r"bench\.yaml"):
        station.read(path)
    assert time.perf_counter() - begin < 2
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["../../evil", "os.system", "/tmp/evil.py", "keithley4200.driver", "__init__", ""])
def test_a_station_file_can_not_name_code(name: str, tmp_path: Path) -> None:
    (tmp_path / "evil.py").write_text("raise SystemExit('executed')")
    path = tmp_path / "bench.yaml"
    path.write_text(
        f"name: x\ninstruments:\n  smu: {{driver: '{name}', resource: none}}\nsimulate: {{device: ohmic}}\n"
    )
    with pytest.raises(UsageError, match="no instrument named"):
        station.Station(station.read(path), seed=0)


def test_aliases_that_stay_small_are_fine(tmp_path: Path) -> None:
    path = tmp_path / "bench.yaml"
    path.write_text(
        "name: x\ninstruments:\n  smu: {driver: keithley4200, resource: none}\n"
        "samples: {W1: &usual {voltage: 2 V}, W2: *usual, W3: {<<: *usual, current: 1 mA}}\n"
    )
    config = station.read(path)
    assert [config.samples[name].voltage for name in ("W1", "W2", "W3")] == [2.0, 2.0, 2.0]
