"""How runs with pulses and waits end: stopped, interrupted, over TCP, with the link lost; and what the cell got by then."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from pulse_chain import WAYS, Chain, same_rows

from labctl import plugins, runner, store
from labctl.bench import TcpDoor
from labctl.contracts import Block

SEED = 1
GRACE = 0.3  #: s after a wish to stop within which a test may still be on its way down

Answer = Callable[[int, bytes, Callable[[], bytes]], bytes]


# -- stops and Ctrl-C -------------------------------------------------------------------------------------------------
class Whole(NamedTuple):
    """A run that nobody disturbed: what it gave, and how long it was by three measures."""

    run: store.Run
    blocks: int
    seconds: float
    messages: int


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Whole]:
    """The undisturbed run of a way, made once."""
    known: dict[str, Whole] = {}

    def of(way: str) -> Whole:
        if way not in known:
            known[way] = undisturbed_run(way, tmp_path_factory.mktemp("whole"))
        return known[way]

    return of


def undisturbed_run(way: str, folder: Path) -> Whole:
    """Run a way to its end."""
    (name, settings), chain, blocks = WAYS[way], Chain(seed=SEED), list[Block]()
    with chain.station() as station:
        begun, before = chain.bench.clock.now(), len(chain.gate.heard)
        result, run = chain.run(name, folder, settings, station, listeners=[blocks.append])
    assert (result.state, run.state, result.safe) == ("finished", "finished", True), result.reason
    return Whole(run, len(blocks), chain.bench.clock.now() - begun, len(chain.gate.heard) - before)


def test_every_recipe_with_pulses_or_waits_is_among_them() -> None:
    assert {name for name, _ in WAYS.values()} == set(plugins.names("procedures")) - {"iv-sweep", "forming"}


def check_end(chain: Chain, result: runner.Result, run: store.Run, undisturbed: Whole) -> None:
    """What holds after every abort: true end, all off, every note closed, no journal left, rows as undisturbed so far."""
    assert (result.state, run.state, result.safe) == ("aborted", "aborted", True), result.reason
    assert chain.is_off()
    assert result.rows == len(run) < len(undisturbed.run)
    assert run.stimuli
    assert all(note.outcome in ("done", "aborted") for note in run.stimuli)
    assert not list(result.path.parent.glob("*.jrn"))
    for name in ("level", "current"):
        np.testing.assert_array_equal(run[name], undisturbed.run[name][: len(run)], err_msg=name)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("when", ["after the first block", "in the middle"])
def test_a_stop_is_obeyed(way: str, when: str, tmp_path: Path, whole: Callable[[str], Whole]) -> None:
    """In the middle is at a third of the simulated time: within a sweep, a pulse test, or a wait."""
    (name, settings), undisturbed, chain = WAYS[way], whole(way), Chain(seed=SEED)
    clock, wished = chain.bench.clock, list[float]()
    with chain.station() as station:
        if when == "in the middle":
            wished.append(clock.now() + 0.3 * undisturbed.seconds)
        result, run = chain.run(
            name,
            tmp_path,
            settings,
            station,
            should_stop=lambda: bool(wished) and clock.now() >= wished[0],
            listeners=[lambda block: wished.append(clock.now())],
        )
    check_end(chain, result, run, undisturbed)
    assert not chain.driven_after(wished[0] + GRACE)


@pytest.mark.parametrize("way", WAYS)
def test_ctrl_c_ends_a_run_at_once(way: str, tmp_path: Path, whole: Callable[[str], Whole]) -> None:
    """While a block in the middle is handed on; live blocks come while the test runs."""
    (name, settings), undisturbed, chain = WAYS[way], whole(way), Chain(seed=SEED)
    seen, last, at = list[Block](), undisturbed.blocks // 2, list[float]()

    def interrupt(block: Block) -> None:
        seen.append(block)
        if len(seen) == last:
            at.append(chain.bench.clock.now())
            raise KeyboardInterrupt

    result, run = chain.run(name, tmp_path, settings, listeners=[interrupt])
    check_end(chain, result, run, undisturbed)
    assert len(seen) == last
    assert not chain.driven_after(at[0] + GRACE)


def interrupted_at(chain: Chain, number: int) -> Answer:
    """Ctrl-C while the reply to this message is waited for; the instrument heard the message."""

    def meddle(count: int, message: bytes, feed: Callable[[], bytes]) -> bytes:
        reply = feed()
        if count == number:
            raise KeyboardInterrupt
        return reply

    return meddle


def interrupt_at_message(way: str, share: float, folder: Path, undisturbed: Whole) -> None:
    """Interrupt at a share of the messages, look at the end, and run the recipe again on the same station.

    The last messages, below a tenth, switch the outputs off after the run has ended.
    """
    (name, settings), chain = WAYS[way], Chain(seed=SEED)
    with chain.station() as station:
        heard = len(chain.gate.heard)
        chain.gate.meddle = interrupted_at(chain, heard + int(share * undisturbed.messages))
        result, run = chain.run(name, folder, settings, station)
        check_end(chain, result, run, undisturbed)
        again, _ = chain.run(name, folder, settings, station)
        assert (again.state, again.safe) == ("finished", True), again.reason


@pytest.mark.parametrize("way", WAYS)
def test_ctrl_c_while_a_reply_is_waited_for(way: str, tmp_path: Path, whole: Callable[[str], Whole]) -> None:
    interrupt_at_message(way, 0.5, tmp_path, whole(way))


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("way", WAYS)
def test_ctrl_c_at_many_messages(way: str, tmp_path: Path, whole: Callable[[str], Whole]) -> None:
    for share in np.linspace(0.05, 0.9, 61):
        interrupt_at_message(way, float(share), tmp_path, whole(way))


# -- the same rows everywhere -----------------------------------------------------------------------------------------
@pytest.mark.parametrize("way", WAYS)
def test_rows_are_the_same_in_process_and_over_tcp(way: str, tmp_path: Path, whole: Callable[[str], Whole]) -> None:
    (name, settings), undisturbed, chain = WAYS[way], whole(way), Chain(seed=SEED)
    with TcpDoor(chain.bench.instrument) as door, chain.station(door.port) as station:
        result, run = chain.run(name, tmp_path, settings, station)
    assert (result.state, result.safe) == ("finished", True), result.reason
    assert chain.is_off()
    same_rows(run, undisturbed.run)
    assert [(note.kind, note.outcome) for note in run.stimuli] == [
        (note.kind, note.outcome) for note in undisturbed.run.stimuli
    ]


def test_another_seed_gives_other_rows(tmp_path: Path, whole: Callable[[str], Whole]) -> None:
    """Or nothing would be compared above."""
    name, settings = WAYS["transient-relaxation"]
    _, run = Chain(seed=SEED + 1).run(name, tmp_path, settings)
    assert not np.array_equal(run["current"], whole("transient-relaxation").run["current"])


# -- pulses are counted -----------------------------------------------------------------------------------------------
TRAINS: dict[str, Any] = {"prepare": "none", "wait": 0.01}
FIVE_UP, FIVE_DOWN = [2.1, 2.2, 2.3, 2.4, 2.5], [-2.2, -2.3, -2.4, -2.5, -2.6]


HALF = {"pulses": 2, "disturb": "half", "disturb_pulses": 7}
HALF_UP = [2.1, 2.5, 2.1, 2.5, *7 * [1.25], *7 * [1.25]]  #: a cycle, and one with half-select pulses after each branch
HALF_DOWN = [-2.2, -2.6, *7 * [-1.3], -2.2, -2.6, *7 * [-1.3]]


@pytest.mark.parametrize(("settings", "up", "down"), [
    ({}, FIVE_UP, FIVE_DOWN),
    ({"cycles": 3}, 3 * FIVE_UP, 3 * FIVE_DOWN),
    ({"scheme": "constant"}, 5 * [2.3], 5 * [-2.4]),
    ({"scheme": "width", "read_with": "pulse"}, 5 * [2.3], 5 * [-2.4]),
    (HALF, HALF_UP, HALF_DOWN),
], ids=["stepped", "three cycles", "constant", "wider and wider", "half-selected"])  # fmt: skip
def test_the_cell_gets_every_pulse_exactly_once(
    settings: dict[str, Any], up: list[float], down: list[float], tmp_path: Path
) -> None:
    chain = Chain()
    _, run = chain.run("potentiation-depression", tmp_path, {"pulses": 5, **TRAINS, **settings})
    assert (chain.peaks(1.0), chain.peaks(-1.0)) == (up, down)
    assert run["applied"][-1] == len(up) + len(down)


def lossy(first: int, arrives: bool, comes_back: bool) -> Answer:
    """From message `first` on nothing is answered, or only that one; arrives: the instrument heard the first one lost."""

    def meddle(count: int, message: bytes, feed: Callable[[], bytes]) -> bytes:
        if count < first or (count > first and comes_back):
            return feed()
        if count == first and arrives:
            feed()
        return b""

    return meddle


def third_start(folder: Path) -> int:
    """How many messages are heard up to the start of the third pulse."""
    chain = Chain()
    chain.run("potentiation-depression", folder, {"pulses": 5, **TRAINS})
    starts = [at for at, message in enumerate(chain.gate.heard, 1) if message.startswith(b":PMU:EXECUTE")]
    assert len(starts) == 10
    return starts[2]


def check_loss(at: int, arrives: bool, comes_back: bool, folder: Path) -> int:
    """Lose the link at message `at`; returns how many pulses the cell got."""
    chain = Chain()
    chain.gate.meddle = lossy(at, arrives, comes_back)
    result, run = chain.run("potentiation-depression", folder, {"pulses": 5, **TRAINS})
    assert (result.state, run.state, result.safe) == ("failed", "failed", comes_back)
    assert run.reason
    assert chain.is_off() or not comes_back
    applied = [*chain.peaks(1.0), *chain.peaks(-1.0)]
    noted = [note for note in run.stimuli if note.kind == "pulse train"]
    amplitudes = [round(float(note.details["amplitudes"][0]), 2) for note in noted]
    done = sum(note.outcome == "done" for note in noted)
    assert applied == amplitudes[: len(applied)], "each at most once, in the order noted"
    assert done <= len(applied) <= len(noted) <= done + 1
    assert all(note.outcome for note in run.stimuli)
    return len(applied)


@pytest.mark.parametrize("comes_back", [True, False], ids=["for one reply", "for good"])
@pytest.mark.parametrize("arrives", [True, False], ids=["the reply is lost", "the message is lost"])
def test_a_lost_link_never_makes_a_pulse_more_than_noted(arrives: bool, comes_back: bool, tmp_path: Path) -> None:
    """From before the third pulse is set up to after it was fetched."""
    start = third_start(tmp_path)
    applied = [check_loss(at, arrives, comes_back, tmp_path) for at in range(start - 10, start + 18, 7)]
    applied += [check_loss(at, arrives, comes_back, tmp_path) for at in (start, start + 1)]
    assert set(applied) == {2, 3}, "both sides of the start were tried"


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("comes_back", [True, False], ids=["for one reply", "for good"])
@pytest.mark.parametrize("arrives", [True, False], ids=["the reply is lost", "the message is lost"])
def test_a_link_lost_anywhere(arrives: bool, comes_back: bool, tmp_path: Path) -> None:
    start = third_start(tmp_path)
    for at in range(start - 60, start + 90):
        check_loss(at, arrives, comes_back, tmp_path)
