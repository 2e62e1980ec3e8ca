"""What every device model promises, as one check: ``check_device_model(lambda seed: cards.build("device-2", seed))``."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Iterator, Sequence

from labctl.contracts import DeviceModel, Drive, Response
from labctl.errors import LabctlError

Make = Callable[[int | None], DeviceModel]

#: a rough day for a cell: drives and how long each is held (s); enough to form most cells, set, reset and rest them
DAY: tuple[tuple[Drive, float], ...] = (
    (Drive(0.1), 1e-9),
    (Drive(0.5, 1e-6), 1e-2),
    (Drive(6.0, 1e-6), 1.0),
    (Drive(0.0), 1.0),
    (Drive(1.0, 1e-4, 50.0), 1e-3),
    (Drive(0.7, 1e-5), 1e-7),
    (Drive(-0.7, math.inf), 1e-2),
    (Drive(-2.0, 1e-3, 50.0), 1e-4),
    (Drive(0.0), 1e4),
    (Drive(2.0, 1e-30), 1.0),
)
#: far outside any sense; a limit belongs to the instrument, a model must still answer with a number, and soon
ABSURD: tuple[tuple[Drive, float], ...] = tuple(
    (Drive(voltage, compliance, resistance), duration)
    for voltage in (1e6, -1e6, 1e-300, 0.0)
    for compliance in (math.inf, 1e-4, 1e-30)
    for resistance in (0.0, 1e12)
    for duration in (0.0, 1e-15, 1e9)
)
#: parts of a dwell that is split, and how far state and current may then differ, relative
PARTS, SPLIT = 10, 0.05
#: s of rest after which nothing volatile is left, and the voltage (V) at which a state is looked at
SETTLED, LOOK = 1.0, 0.1
#: random waveforms for the check of convergence, and how far the finer run may be from the finest, relative
WAVEFORMS, CONVERGED = 5, 0.02
#: SI; states and currents this small are none
NOTHING = 1e-18
#: of the times of such a waveform; a cell may be this early or late
TIMES = (0.98, 1.02)


def check_device_model(make: Make, retention: float = 1e4, finer: Callable[[DeviceModel], None] | None = None) -> None:
    """Raise AssertionError naming the first promise of `DeviceModel` that the cells built by `make(seed)` break.

    retention: s at 0 V after which a state still reads within a factor of two, once a second of rest has ended what is
    volatile; finer: makes a cell compute with a tenth of its present error, None for a model without such a setting.
    """
    for check in (_rests, _passive, _present, _reproducible, _splits, _absurd, _refuses):
        check(make)
    _lasts(make, retention)
    if finer is not None:
        _converges(make, finer)


def random_waveform(seed: int, span: float, dwells: int) -> list[tuple[Drive, float]]:
    """Drives within +-`span` (V) and how long each is held (s), of the same seed the same: a day like no other.

    Voltages are uniform, one in four is 0; durations are log-uniform from 100 ns to 100 ms; compliances and resistances are
    those of everyday measurements.
    """
    rng = random.Random(seed)
    waveform = []
    for _ in range(dwells):
        voltage = 0.0 if rng.random() < 0.25 else rng.uniform(-span, span)
        drive = Drive(voltage, rng.choice((1e-6, 1e-5, 1e-4, 1e-3)), rng.choice((0.0, 50.0)))
        waveform.append((drive, 10.0 ** rng.uniform(-7.0, -1.0)))
    return waveform


def _promise(kept: bool, words: str) -> None:
    if not kept:
        raise AssertionError(f"device model: {words}")


def _lived(make: Make, seed: int | None, day: Sequence[tuple[Drive, float]] = DAY) -> Iterator[tuple[Drive, Response]]:
    cell = make(seed)
    for drive, duration in day:
        yield drive, cell.advance(drive, duration)


def _rests(make: Make) -> None:
    cell = make(None)
    for drive, duration in DAY:
        cell.advance(drive, duration)
        _promise(cell.current(0.0) == 0.0, f"current {cell.current(0.0)} A at 0 V after {drive}")
    found = cell.advance(Drive(0.0, 1e-6), 1e-3)
    _promise(found == Response(0.0, 0.0), f"{found} without a voltage")


def _passive(make: Make) -> None:
    for seed in (None, 1):
        for drive, found in _lived(make, seed):
            _sound(drive, found)


def _sound(drive: Drive, found: Response) -> None:
    """A cell gives no power back, and a source keeps its two promises: voltage, or current at the compliance."""
    words = f"{found} under {drive}"
    _promise(math.isfinite(found.current) and math.isfinite(found.voltage), f"not a number: {words}")
    _promise(found.current * found.voltage >= 0.0, f"power from a passive cell: {words}")
    _promise(found.current * drive.voltage >= 0.0, f"current against the source: {words}")
    _promise(abs(found.current) <= drive.compliance * (1.0 + 1e-6), f"compliance exceeded: {words}")
    if found.in_compliance:
        _promise(math.isclose(abs(found.current), drive.compliance, rel_tol=1e-6), f"not at the compliance: {words}")
        _promise(abs(found.voltage) <= abs(drive.voltage) * (1.0 + 1e-9), f"voltage above the source's: {words}")
    else:
        _promise(math.isclose(found.voltage, drive.voltage, rel_tol=1e-9), f"voltage missed out of compliance: {words}")


def _present(make: Make) -> None:
    cell = make(None)
    for drive, duration in DAY:
        cell.advance(drive, duration)
        before = dict(cell.state())
        free, now = cell.current(drive.voltage), cell.advance(Drive(drive.voltage), 0.0).current
        _promise(dict(cell.state()) == before, f"a dwell of 0 s or a look at the current moved the state after {drive}")
        _promise(
            math.isclose(free, now, rel_tol=1e-6), f"current() gives {free} A, a dwell of 0 s {now} A after {drive}"
        )
        _monotone(cell, drive.voltage)


def _monotone(cell: DeviceModel, voltage: float) -> None:
    limits = [10.0**power for power in range(-12, 0)]
    currents = [abs(cell.advance(Drive(voltage, limit), 0.0).current) for limit in limits]
    rising = all(a <= b * (1.0 + 1e-9) for a, b in itertools.pairwise(currents))
    _promise(rising, f"the current falls when the compliance rises, at {voltage} V: {currents}")


def _reproducible(make: Make) -> None:
    for seed in (None, 0, 7):
        first, again = list(_lived(make, seed)), list(_lived(make, seed))
        _promise(first == again, f"two cells of seed {seed} differ")


def _splits(make: Make) -> None:
    whole, parts = make(None), make(None)
    for drive, duration in DAY:
        at_once = whole.advance(drive, duration)
        for _ in range(PARTS):
            in_parts = parts.advance(drive, duration / PARTS)
        words = f"after {drive} for {duration} s at once or in {PARTS} parts"
        _promise(_close(at_once.current, in_parts.current), f"{at_once} against {in_parts} {words}")
        for name, value in whole.state().items():
            _promise(_close(value, parts.state()[name]), f"{name} = {value} against {parts.state()[name]} {words}")


def _lasts(make: Make, retention: float) -> None:
    for end in range(1, len(DAY) + 1):
        cell = make(None)
        for drive, duration in DAY[:end]:
            cell.advance(drive, duration)
        cell.advance(Drive(0.0), SETTLED)
        before = cell.current(LOOK)
        cell.advance(Drive(0.0), retention)
        words = f"{before} A at {LOOK} V are {cell.current(LOOK)} A after {retention} s at 0 V; last was {DAY[end - 1]}"
        _promise(0.5 <= cell.current(LOOK) / before <= 2.0, words)


def _converges(make: Make, finer: Callable[[DeviceModel], None]) -> None:
    """Each tenth of the error asked for brings a cell nearer to one computed a thousand times finer."""
    for seed in range(WAVEFORMS):
        waveform = random_waveform(seed, 1.0, 10)
        coarse, fine, finest = (_computed(make, finer, times, waveform) for times in (0, 1, 3))
        # where a current jumps, a hundredth of the time decides: what the finest has a little earlier or later is right, too
        known = [finest]
        if sorted(map(_apart, fine, finest))[-2] > CONVERGED:
            known += [_computed(make, finer, 3, [(drive, by * time) for drive, time in waveform]) for by in TIMES]
        far, near = (sorted(map(_outside, run, zip(*known, strict=True))) for run in (coarse, fine))
        words = f"(relative differences of the current, random waveform {seed})"
        _promise(
            near[-1] <= max(far[-1], CONVERGED), f"a finer cell is further off: {near[-1]} against {far[-1]} {words}"
        )
        _promise(near[-2] <= CONVERGED, f"a cell computed finer is {near[-2]} off {words}")


def _computed(
    make: Make, finer: Callable[[DeviceModel], None], times: int, waveform: Sequence[tuple[Drive, float]]
) -> list[Response]:
    cell = make(None)
    cell.prepare("formed")
    for _ in range(times):
        finer(cell)
    return [cell.advance(drive, duration) for drive, duration in waveform]


def _outside(found: Response, known: Sequence[Response]) -> float:
    """How far `found` is from what was known, or from the stretch between the smallest and the greatest of it, relative."""
    currents = sorted(one.current for one in known)
    if currents[0] <= found.current <= currents[-1]:
        return 0.0
    return min(_apart(found, one) for one in known)


def _apart(found: Response, other: Response) -> float:
    if found.current == other.current:
        return abs(found.voltage - other.voltage)
    return abs(found.current - other.current) / max(abs(found.current), abs(other.current))


def _close(a: float, b: float) -> bool:
    return math.isclose(a, b, rel_tol=SPLIT, abs_tol=NOTHING)


def _absurd(make: Make) -> None:
    for drive, duration in ABSURD:
        cell = make(3)
        for held in (duration, 1e-3, duration):
            _sound(drive, cell.advance(drive, held))
        values = cell.state().values()
        _promise(all(math.isfinite(value) for value in values), f"state {dict(cell.state())} after {drive}")


def _refuses(make: Make) -> None:
    cell = make(None)
    for drive, duration in (
        (Drive(1.0), -1.0), (Drive(1.0), math.nan), (Drive(1.0), math.inf), (Drive(math.nan), 1.0), (Drive(math.inf), 1.0),
        (Drive(1.0, 0.0), 1.0), (Drive(1.0, -1.0), 1.0), (Drive(1.0, math.nan), 1.0), (Drive(1.0, 1.0, -1.0), 1.0),
    ):  # fmt: skip
        try:
            found = cell.advance(drive, duration)
        except LabctlError:
            continue
        _promise(False, f"{found} for {drive} held {duration} s; it must be refused")
