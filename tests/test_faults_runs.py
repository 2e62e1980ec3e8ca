"""Whole recipes over a wire with faults: right numbers or a failure that says why, no stimulus twice, outputs off.

The cell is a resistor that becomes a little better with every excursion from 0 V: one applied twice, or left out, shows in
every later row, and waiting shows in none. Its list of excursions is the truth beside what the run file says.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from pulse_fakes import kind_of

from labctl import runner, store
from labctl.bench import SimBench, TcpDoor
from labctl.clocks import WallClock
from labctl.contracts import Card, DeviceModel, Drive, Response, Status
from labctl.errors import LabctlError
from labctl.station import InstrumentConfig, Station, StationConfig

EXACT = {"noise": 0.0, "offset": 0.0, "quantisation": False}
RECIPES: dict[str, dict[str, Any]] = {
    "iv-sweep": {"v_max": 0.6, "v_min": -0.4, "step": 0.2, "v_read": 0.1, "cycles": 2, "compliance": 1e-2},
    "potentiation-depression": {
        "pulses": 2, "prepare": "none", "wait": 0.01, "disturb": "half", "disturb_pulses": 3, "disturb_period": 0.1,
    },
    "retention": {
        "duration": 10, "per_decade": 1, "write_with": "pulse", "read_with": "pulse",
    },
}  # fmt: skip
#: kinds whose victim may still have been told everything: each at every message
EVERYWHERE = (
    "lost",
    "unheard",
    "drop",
    "drop/before",
    "truncated",
    "truncated/open",
    "duplicated",
    "reboot",
    "count",
    "count/more",
)
TIMED = ("delayed", "busy")
GARBLED = ("garbled", "garbled/digits")
CLOCKED = {"time", "age", "elapsed"}  #: columns of the clock, which a fault may hold up


class Tally(DeviceModel):
    """A conductance that grows by a hundredth with every excursion. excursions: the greatest voltage of each, V, in order."""

    name = "tally"

    def __init__(self) -> None:
        self.excursions: list[float] = []
        self._away = False

    @classmethod
    def from_card(cls, card: Card, seed: int | None) -> "Tally":
        return cls()

    def advance(self, drive: Drive, duration: float) -> Response:
        if duration > 0:
            self._count(drive.voltage)
        total = 1.0 / self._conductance + drive.resistance
        free = drive.voltage / total
        if abs(free) <= drive.compliance:
            return Response(free, drive.voltage)
        held = float(np.copysign(drive.compliance, free))
        return Response(held, held * total, in_compliance=True)

    def _count(self, voltage: float) -> None:
        if voltage == 0:
            self._away = False
        elif not self._away or voltage * self.excursions[-1] < 0:
            self.excursions.append(voltage)
            self._away = True
        else:
            self.excursions[-1] = max(self.excursions[-1], voltage, key=abs)

    @property
    def _conductance(self) -> float:
        return 1e-5 * (1 + 0.01 * len(self.excursions))

    def current(self, voltage: float) -> float:
        return voltage * self._conductance

    def state(self) -> Mapping[str, float]:
        return {"conductance": self._conductance}


class Ended(NamedTuple):
    """How a run ended. result, run: None where the station could not even be opened; messages: heard before and in all."""

    bench: SimBench
    result: runner.Result | None
    run: store.Run | None
    begun: int
    messages: int

    @property
    def excursions(self) -> list[float]:
        return [round(peak, 3) for peak in self.bench.device.excursions]  # type: ignore[attr-defined]


def carried_out(
    recipe: str,
    faults: str,
    folder: Path,
    transport: str = "tcp",
    settings: Mapping[str, Any] | None = None,
    **options: Any,
) -> Ended:
    """Run a recipe on a new bench with these faults. A fault that never strikes counts the messages."""
    counted = f"{faults}; lost@999999"
    chosen = {**EXACT, **(settings or {})}
    bench = SimBench(Tally(), settings=chosen, seed=3, transport=transport, faults=counted)  # type: ignore[arg-type]
    smu = InstrumentConfig(driver="keithley4200", resource="in this process", options=options)
    config = StationConfig(name="faulty", instruments={"smu": smu})
    try:
        station = Station(config, bench=bench)
    except LabctlError:
        return Ended(bench, None, None, 0, bench.far_side._number)  # type: ignore[attr-defined]
    begun = bench.far_side._number  # type: ignore[attr-defined]
    try:
        result = runner.run(recipe, kind_of(recipe)(**RECIPES[recipe]), station, folder / f"{recipe}.h5")
    finally:
        station.close()
    return Ended(bench, result, store.read(result.path), begun, bench.far_side._number)  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Ended]:
    """The undisturbed run of a recipe, made once for every transport and option."""
    known: dict[Any, Ended] = {}

    def of(recipe: str, transport: str = "tcp", **options: Any) -> Ended:
        key = (recipe, transport, *options.items())
        if key not in known:
            known[key] = carried_out(recipe, "", tmp_path_factory.mktemp("whole"), transport, **options)
        return known[key]

    return of


# -- what must hold ---------------------------------------------------------------------------------------------------
def check(ended: Ended, undisturbed: Ended, numbers: bool = True) -> str:
    """What holds after every run; returns its state, "refused" where the station could not be opened.

    numbers: the rows are looked at, too.
    """
    check_stimuli(ended, undisturbed)
    result, run = ended.result, ended.run
    if result is None or run is None:
        assert ended.excursions == []
        assert is_off(ended.bench)
        return "refused"
    assert result.state in ("finished", "failed")
    assert result.state == run.state
    assert bool(result.reason) == (result.state == "failed")
    assert is_off(ended.bench) or not result.safe
    if numbers:
        restarted = any(one.words.startswith("reboot") for one in ended.bench.far_side.happened)  # type: ignore[attr-defined]
        check_rows(run, undisturbed.run, times=run.header.procedure == "iv-sweep" and not restarted)
        assert result.state == "failed" or len(run) == len(undisturbed.run)  # type: ignore[arg-type]
    return result.state


def is_off(bench: SimBench) -> bool:
    """What the simulated instrument says when nobody disturbs it."""
    bench.instrument.feed(b"BC\0" if bench.resource.startswith("TCPIP") else b"BC\n")
    return bench.instrument.outputs == bench.instrument.pulse_outputs == () and not bench.instrument.frame.busy  # type: ignore[attr-defined,no-any-return]


def check_stimuli(ended: Ended, undisturbed: Ended) -> None:
    """The cell got what it gets undisturbed, in that order, up to some moment, and not more than was noted."""
    got, wanted = ended.excursions, undisturbed.excursions
    assert got[:-1] == wanted[: max(len(got) - 1, 0)]
    if got:
        assert len(got) <= len(wanted)
        assert got[-1] * wanted[len(got) - 1] > 0
        assert abs(got[-1]) <= abs(wanted[len(got) - 1])
    noted = [] if ended.run is None else ended.run.stimuli
    assert len(got) <= sum(map(excursions_of, noted))
    done = sum(excursions_of(note) for note in noted if note.outcome == "done")
    assert done <= len(got), "a stimulus the cell did not get is noted as done"


def excursions_of(note: store.Stimulus) -> int:
    """How often a stimulus leaves 0 V."""
    if note.kind == "pulse train":
        return len(note.details["amplitudes"]) * int(note.details["count"])
    if note.kind == "waveform":
        levels = np.array(note.details["levels"]) != 0
        return int(np.count_nonzero(levels[1:] & ~levels[:-1])) * int(note.details["repeats"])
    return 1


def check_rows(run: store.Run, undisturbed: store.Run | None, times: bool) -> None:
    """Every row is what it is undisturbed; provisional ones are marked as such, and right, too.

    times: also when it was measured; a meter takes longer to find its range after a restart.
    """
    assert undisturbed is not None
    count = len(run)
    assert count <= len(undisturbed)
    settled = (run["status"] & int(Status.PROVISIONAL)) == 0
    for name in run.columns:
        if name in CLOCKED and not times:
            continue
        kept = settled if name == "status" else np.ones(count, dtype=bool)
        np.testing.assert_array_equal(run[name][kept], undisturbed[name][:count][kept], err_msg=name)


def spelt(kind: str, when: str) -> str:
    """The fault in words; seconds as they hurt most: longer than every time-out."""
    return f"{kind}@{when}{':600s' * (kind in TIMED)}"


# -- every kind, at many places ---------------------------------------------------------------------------------------
MATRIX = [
    (recipe, transport, kind)
    for recipe in RECIPES
    for transport in ("tcp", "gpib")
    for kind in (*EVERYWHERE, *TIMED, *GARBLED)
    if (transport, kind) != ("gpib", "unheard")  # a bus hands every byte over with a handshake: it can't happen there
]
NAMED = ("lost", "unheard", "drop", "drop/before", "reboot", "truncated/open", "delayed")  #: that break the link


def disturbed(
    recipe: str, transport: str, kind: str, places: Iterator[int], folder: Path, whole: Callable[..., Ended]
) -> list[str]:
    """Run `recipe` with a fault at each of `places` in turn; returns how the runs ended.

    Data are asked for twice on every line that garbles characters: without that a changed digit can't be noticed.
    """
    options = {"read_twice": True} if kind in GARBLED else {}
    undisturbed, states = whole(recipe, transport, **options), []
    for place in places:
        ended = carried_out(recipe, spelt(kind, str(place)), folder, transport, **options)
        states.append(check(ended, undisturbed))
        if states[-1] == "failed" and kind in NAMED and transport == "tcp":
            assert re.search(r"(reply to|sending|acknowledged|anew)", ended.run.reason), ended.run.reason  # type: ignore[union-attr]
    return states


def some(kind: str, first: int, last: int, count: int) -> Iterator[int]:
    """`count` messages between two, others for every kind."""
    apart = (last - first) / count
    shift = (*EVERYWHERE, *TIMED, *GARBLED).index(kind) / 14
    return iter(sorted({first + int(apart * (k + shift)) for k in range(count)}))


SAMPLE = [
    one
    for one in MATRIX
    if one[:2] == ("iv-sweep", "tcp")
    or one[1:] in (("tcp", "lost"), ("tcp", "count"), ("gpib", "reboot"), ("gpib", "garbled/digits"))
]


@pytest.mark.parametrize(("recipe", "transport", "kind"), SAMPLE)
def test_a_fault_somewhere(recipe: str, transport: str, kind: str, tmp_path: Path, whole: Callable[..., Ended]) -> None:
    undisturbed = whole(recipe, transport, **({"read_twice": True} if kind in GARBLED else {}))
    places = some(kind, undisturbed.begun + 1, undisturbed.messages, 2 if recipe == "iv-sweep" else 1)
    states = disturbed(recipe, transport, kind, places, tmp_path, whole)
    assert set(states) <= {"finished", "failed"}


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("recipe", "transport", "kind"), MATRIX)
def test_a_fault_everywhere(
    recipe: str, transport: str, kind: str, tmp_path: Path, whole: Callable[..., Ended]
) -> None:
    """At each message of the short recipe in turn, from the first of the connection on; at every fifth of the longer ones."""
    undisturbed = whole(recipe, transport, **({"read_twice": True} if kind in GARBLED else {}))
    every = 1 if recipe == "iv-sweep" else 5
    places = iter(range(1, undisturbed.messages + 1, every))
    states = disturbed(recipe, transport, kind, places, tmp_path, whole)
    print(recipe, transport, kind, {state: states.count(state) for state in sorted(set(states))})
    assert "failed" in states


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("transport", ["tcp", "gpib"])
@pytest.mark.parametrize("recipe", RECIPES)
def test_a_bad_line(recipe: str, transport: str, tmp_path: Path, whole: Callable[..., Ended]) -> None:
    """All kinds by chance, one message in a hundred, over and over: several in one run, also while it is made safe."""
    kinds = [kind for kind in (*EVERYWHERE, *GARBLED) if (transport, kind) != ("gpib", "unheard")]
    undisturbed = whole(recipe, transport, read_twice=True)
    for seed in range(100):
        places = np.random.default_rng(seed).integers(1, undisturbed.messages, size=3)
        words = [spelt(str(np.random.default_rng([seed, k]).choice(kinds)), str(at)) for k, at in enumerate(places)]
        check(carried_out(recipe, "; ".join(words), tmp_path, transport, read_twice=True), undisturbed)


# -- digits that change on the way ------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("recipe", "start"),
    [("iv-sweep", "DO 'I1'"), ("iv-sweep", "DO 'CH1T'"), ("iv-sweep", "RD 'V1'"), ("retention", ":PMU:DATA:GET"),
     ("retention", ":PMU:DATA:COUNT?")],
)  # fmt: skip
def test_a_changed_digit_is_noticed_where_data_are_read_twice(
    recipe: str, start: str, tmp_path: Path, whole: Callable[..., Ended]
) -> None:
    """Over GPIB, which has no checksums, that is the default."""
    for nth in (1, 4):
        ended = carried_out(recipe, f"garbled/digits@{start}#{nth}", tmp_path, "gpib")
        if check(ended, whole(recipe, "gpib")) == "finished":
            assert start.endswith("COUNT?"), "how many there are while a test runs only says what to fetch"
        else:
            assert re.search(r"two ways|points were expected|came", ended.run.reason)  # type: ignore[union-attr]


def test_a_changed_digit_is_not_noticed_where_data_are_read_once(tmp_path: Path, whole: Callable[..., Ended]) -> None:
    """What the option is for: TCP has checksums of its own, so there it is off, and a digit is taken as it comes."""
    ended, undisturbed = carried_out("iv-sweep", "garbled/digits@DO 'I1'#1", tmp_path), whole("iv-sweep")
    assert check(ended, undisturbed, numbers=False) == "finished"
    assert np.count_nonzero(ended.run["current"] != undisturbed.run["current"]) == 1  # type: ignore[index]


@pytest.mark.parametrize(("transport", "option", "twice"), [
    ("tcp", {}, False), ("gpib", {}, True), ("tcp", {"read_twice": True}, True), ("gpib", {"read_twice": False}, False),
])  # fmt: skip
def test_the_file_says_whether_data_were_read_twice(
    transport: str, option: dict[str, Any], twice: bool, whole: Callable[..., Ended]
) -> None:
    header = whole("iv-sweep", transport, **option).run.header  # type: ignore[union-attr]
    assert header.instruments["smu"]["settings"]["read_twice"] is twice  # type: ignore[index]


# -- restarts -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("transport", ["tcp", "gpib"])
@pytest.mark.parametrize("start", ["RD 'CH1T',2", "RD 'I1',4", "DO 'V1'"])
def test_a_restart_in_mid_sweep_is_noticed_without_a_broken_link(
    start: str, transport: str, tmp_path: Path, whole: Callable[..., Ended]
) -> None:
    ended = carried_out("iv-sweep", f"reboot/silent@{start}#1", tmp_path, transport)
    assert check(ended, whole("iv-sweep", transport)) == "failed"
    assert ended.result.safe  # type: ignore[union-attr]
    assert len(ended.excursions) <= 1


@pytest.mark.parametrize("start", [":PMU:TEST:STATUS?#4", ":PMU:DATA:COUNT?#1", ":PMU:DATA:GET#1"])
def test_a_restart_in_a_measured_pulse_test_is_noticed(start: str, tmp_path: Path, whole: Callable[..., Ended]) -> None:
    ended = carried_out("retention", f"reboot/silent@{start}", tmp_path, "gpib")
    assert check(ended, whole("retention", "gpib")) == "failed"
    assert len(ended.excursions) <= 1


def test_a_restart_between_tests_does_not_leave_the_cell_on_the_wrong_card(tmp_path: Path) -> None:
    """Over GPIB nobody tells; what RPMs lead to after a restart is open, so the SMU may be off the cell."""
    settings = {"rpm_at_reset": "pulse"}
    undisturbed = carried_out("iv-sweep", "", tmp_path, "gpib", settings)
    for nth in (2, 5):  # the first message of a later sweep
        faults = f"reboot/silent@:ERROR:LAST:CLEAR#{6 + nth}"
        ended = carried_out("iv-sweep", faults, tmp_path, "gpib", settings)
        assert ended.bench.far_side.happened  # type: ignore[attr-defined]
        assert check(ended, undisturbed) in ("finished", "failed")


# -- over a real socket -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "faults", ["drop@MD", "drop/before@RD#3", "reboot@DO 'V1'#1", "duplicated@RD#4", "count@DO 'I1'#2"]
)
def test_faults_over_tcp(faults: str, tmp_path: Path, whole: Callable[..., Ended]) -> None:
    clock = WallClock(100.0)
    bench = SimBench(Tally(), settings=EXACT, seed=3, faults=faults, clock=clock)
    with TcpDoor(bench.far_side) as door:
        resource = f"TCPIP0::127.0.0.1::{door.port}::SOCKET"
        smu = InstrumentConfig(driver="keithley4200", resource=resource, visa_library="@py", timeout=5.0)
        with Station(StationConfig(name="served", instruments={"smu": smu}), clock=clock) as station:
            result = runner.run("iv-sweep", kind_of("iv-sweep")(**RECIPES["iv-sweep"]), station, tmp_path / "x.h5")
    ended = Ended(bench, result, store.read(result.path), 0, 0)
    assert check(ended, whole("iv-sweep"), numbers=False) == "failed"
    assert result.safe
    assert bench.far_side.happened  # type: ignore[attr-defined]
