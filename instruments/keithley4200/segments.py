"""A waveform, or a train, as a program of straight segments, and the program as Segment Arb commands. No I/O.

A sequence needs three segments and ends where it starts: repeats of a shorter waveform are written out inside one, and what
is still too short gets rests at 0 V behind it, where the cell is at rest anyway. Segments longer than the card's 1 s are cut;
the pieces join without a jump, so the cell sees the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence as Listed
from itertools import pairwise

import numpy as np

from labctl.contracts import FloatArray, Measure, PulseTrain, Waveform
from labctl.errors import LimitError
from labctl.kxci import Command
from labctl.kxci import messages as m
from labctl.quantities import show

from .pulse_program import TICK, IntArray, Program, Sequence, ticks

FEWEST = 3  #: segments of a sequence (D 7-40, error -958)
LONGEST = 100_000_000  #: ticks of a segment: 1 s (D 7-40)
VALUES = 128  #: of one array message (D 7-48)
PLAYS = 128  #: entries of one list message, as many as values of the others: guess


# -- waveforms --------------------------------------------------------------------------------------------------------
def compile_waveform(waveform: Waveform, least: int) -> Program:
    """Write `waveform` as a program; least: ticks of the shortest segment the card takes.

    Raises LimitError for times off the grid, and for a mean over more than one segment of the card can hold.
    """
    once = _cut(_as_sequence(waveform), least)
    copies = -(-FEWEST // len(once)) if waveform.repeats > 1 else 1
    loops, left = divmod(waveform.repeats, copies)
    if copies == 1:
        return Program((once.padded(FEWEST, least),), ((0, loops),))
    looped = [(once.times(copies), loops)] if loops else []
    rest = [(once.times(left).padded(FEWEST, least), 1)] if left else []
    sequences, counts = zip(*(looped + rest), strict=True)
    return Program(sequences, tuple(enumerate(counts)))


def _as_sequence(waveform: Waveform) -> Sequence:
    length = ticks(waveform.durations, "segment")
    kinds = np.array(waveform.measure, dtype=np.int64)
    begins, ends = np.zeros_like(length), length.copy()
    measured = kinds != Measure.NOTHING
    if waveform.windows is not None:
        begins[measured] = ticks(waveform.windows[measured, 0], "window start")
        ends[measured] = ticks(waveform.windows[measured, 1], "window stop")
    ends[~measured] = 0
    count = length.size
    return Sequence(length, waveform.levels, kinds, begins, ends, np.arange(count), count)


def _cut(sequence: Sequence, least: int) -> Sequence:
    """The same with every segment longer than 1 s in pieces, so that no mean is cut."""
    if not (sequence.ticks > LONGEST).any():
        return sequence
    pieces = [piece for k in range(len(sequence)) for piece in _pieces(sequence, k, least)]
    length, stops, kinds, begins, ends, owners = (np.array(column) for column in zip(*pieces, strict=True))
    levels = np.append(sequence.levels[0], stops)
    return Sequence(length, levels, kinds, begins, ends, owners, sequence.span)


def _pieces(sequence: Sequence, k: int, least: int) -> Iterator[tuple[int, float, int, int, int, int]]:
    """(ticks, stop level, kind, begin, end, owner) of each piece of segment `k`."""
    whole, kind = int(sequence.ticks[k]), int(sequence.kinds[k])
    begin, end = int(sequence.begins[k]), int(sequence.ends[k])
    first, last = sequence.levels[k : k + 2]
    edges = _edges(whole, [begin, end] if kind else [], least)
    for at, until in pairwise(edges):
        inside = (max(begin, at), min(end, until))
        if kind == Measure.MEAN and (inside[1] > inside[0]) and inside != (begin, end):
            raise LimitError(
                f"mean over {show((end - begin) * TICK, 's')} in segment {k}: one segment of the pulse card lasts 1 s; "
                "measure samples, or a shorter window"
            )
        measured = kind if inside[1] > inside[0] else 0
        window = (inside[0] - at, inside[1] - at) if measured else (0, 0)
        stop = float(last) if until == whole else float(first + (last - first) * until / whole)
        yield until - at, stop, measured, *window, int(sequence.owners[k])


def _edges(whole: int, wanted: list[int], least: int) -> list[int]:
    """Where to cut: around the window, where that leaves no piece too short, and evenly into pieces of up to 1 s."""
    marks = [0]
    for mark in wanted if whole > LONGEST else []:
        if mark - marks[-1] >= least and whole - mark >= least:
            marks.append(mark)
    edges = [0]
    for at, until in pairwise([*marks, whole]):
        count = -(-(until - at) // LONGEST)
        edges += [at + (until - at) * part // count for part in range(1, count + 1)]
    return edges


# -- trains -----------------------------------------------------------------------------------------------------------
def compile_train(train: PulseTrain) -> Program:
    """Write `train` as a program: one sequence of all pulses, or one for each amplitude, looped. Raises LimitError."""
    if train.count > 1:
        pulses = [_pulse(train, train.amplitudes[k : k + 1]) for k in range(train.amplitudes.size)]
        return Program(tuple(pulses), tuple((k, train.count) for k in range(len(pulses))))
    return Program((_pulse(train, train.amplitudes),), ((0, 1),))


def _pulse(train: PulseTrain, amplitudes: FloatArray) -> Sequence:
    """Pulses of these amplitudes, one behind the other."""
    delay, rise, top, fall, rest = pulse_ticks(train)
    count = amplitudes.size
    shape = [(delay, 0), (rise, 1), (top, 1), (fall, 0), (rest, 0)]  # and whether it ends at the amplitude
    kept = [(length, high) for length, high in shape if length]
    length = np.tile(np.array([length for length, _ in kept]), count)
    ends_high = np.array([high for _, high in kept])
    levels = np.append(0.0, (amplitudes[:, np.newaxis] * ends_high).ravel())
    window = np.array([round(share * top) for share in train.window]) if train.measure != Measure.NOTHING else None
    place = [k for k, (_, high) in enumerate(kept) if high][-1]
    kinds, begins, stops = (np.zeros(length.size, dtype=np.int64) for _ in range(3))
    if window is not None:
        at = place + len(kept) * np.arange(count)
        kinds[at], begins[at], stops[at] = int(train.measure), *_checked(window, top)
    return Sequence(length, levels, kinds, begins, stops, np.repeat(np.arange(count), len(kept)), count)


def _checked(window: IntArray, top: int) -> tuple[int, int]:
    begin, end = int(window[0]), int(window[1])
    if end <= begin:
        raise LimitError(
            f"window of {show((end - begin) * TICK, 's')}: the pulse's top of {show(top * TICK, 's')} is too short"
        )
    return begin, end


def pulse_ticks(train: PulseTrain) -> tuple[int, int, int, int, int]:
    """Delay, rise, top, fall and rest of one period, in ticks; the width is at half height. Raises LimitError."""
    named = {name: getattr(train, name) for name in ("delay", "rise", "fall", "width", "period")}
    delay, rise, fall, width, period = (int(ticks(np.array(time), name)) for name, time in named.items())
    if (rise + fall) % 2:
        raise LimitError(
            f"rise + fall = {show((rise + fall) * TICK, 's')} leaves a top off the card's grid; make it a multiple of 20 ns"
        )
    top = width - (rise + fall) // 2
    return delay, rise, top, fall, period - delay - rise - top - fall


# -- commands ---------------------------------------------------------------------------------------------------------
def program_commands(program: Program, driven: int, held: int | None) -> Iterator[Command]:
    """The arrays and the list of `program`, one command each; the held channel gets the same times at 0 V."""
    for number, sequence in enumerate(program.sequences, 1):
        yield from _arrays(driven, number, sequence, sequence.levels)
        if held is not None:
            yield from _arrays(held, number, sequence, np.zeros_like(sequence.levels))
    for channel in (driven, held):
        if channel is not None:
            plays = tuple(m.Play(place + 1, loops) for place, loops in program.plays)
            for at in range(0, len(plays), PLAYS):
                listed = m.AddPlaySequences if at else m.PlaySequences
                yield listed(channel, plays[at : at + PLAYS])


def _arrays(channel: int, number: int, sequence: Sequence, levels: FloatArray) -> Iterator[Command]:
    yield from _array(m.SegmentTimes, m.AddSegmentTimes, channel, number, _seconds(sequence.ticks))
    yield from _array(m.SegmentStarts, m.AddSegmentStarts, channel, number, levels[:-1].tolist())
    yield from _array(m.SegmentStops, m.AddSegmentStops, channel, number, levels[1:].tolist())
    if sequence.kinds.any():
        yield from _array(m.SegmentModes, m.AddSegmentModes, channel, number, sequence.kinds.tolist())
        yield from _array(m.WindowStarts, m.AddWindowStarts, channel, number, _seconds(sequence.begins))
        yield from _array(m.WindowStops, m.AddWindowStops, channel, number, _seconds(sequence.ends))


def _array(
    plain: type[m.SegmentArray], more: type[m.SegmentArray], channel: int, number: int, values: Listed[float]
) -> Iterator[Command]:
    for at in range(0, len(values), VALUES):
        which: type = more if at else plain
        yield which(channel, number, tuple(values[at : at + VALUES]))


def _seconds(steps: IntArray) -> list[float]:
    """Ticks in s, each the float nearest to its decimal: 3e-8 and not 3.0000000000000004e-8."""
    return [float(f"{step}e-8") for step in steps.tolist()]
