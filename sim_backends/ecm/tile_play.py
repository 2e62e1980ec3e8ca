"""Plays waveforms to many cells through one tile: a lane that is done with its cell takes the next one.

What needs Python (a filament to be drawn, noise to be looked up) sends the cell out of the tile, with a code that says
why; `tile_run` does it and plays the rest to it in the next round.
"""

# so many names that a line for each would fill a page
# isort: off
from __future__ import annotations

from labctl.jit import Vector, kernel

from .tile_circuit import solve_tile
from .tile_kinetics import lane_damage, lane_slopes, lane_supply
from .tile_layout import (
    ATTEMPT, CELL, DONE, DUE, EMPTY, ENTERED, LANES, LIMITED, MAY_TRY, NEXT_I_CC, NEXT_R_SRC, NEXT_TIME, NEXT_V, OUT_I,
    OUT_LIMITED, OUT_V, OVER, PER_TOLERANCE, PHASE, PLACE, S_LEFT, S_R, S_U, S_X, SHARE, SHARE_W, SPENT, STRUCK, TRIED, V_V,
    VOLTS, Y_R, Y_X, YIELDED, load, unload,
)  # fmt: skip
from .tile_steps import step_tile

#: notes on a cell: the number of the dwell it is in, why it is not in a lane, its tolerance (nm), whether it can give an
#: attempt up and is in one (0/1), the voltage of an attempt (V), and whether it has to come out after every dwell (0/1)
AT, WHY, PRECISION, TRIES, TRYING, TRIAL, PAUSES = range(7)
NOTES = 7
#: why: all dwells done or a pause, something happened, an attempt is given up, too many steps
FINISHED, HAPPENED, GAVE_UP, EXHAUSTED = 0.0, 1.0, 2.0, 3.0
#: of one dwell of one cell: voltage (V), compliance (A), resistance (ohm), time (s); found: current, voltage, compliance?
DRIVE, FOUND = 4, 3


@kernel
def evaluate(w: Vector, damaging: bool, supplying: bool, linear: bool) -> None:
    """Find circuit and slopes of every lane at its point.

    damaging, supplying: whether any cell has damage, or an ion supply; linear: whether p_r is 1 in all.
    """
    solve_tile(w, linear)
    if supplying:
        for k in range(LANES):
            lane_supply(w, k)
    for k in range(LANES):
        lane_slopes(w, k)
    if damaging:
        for k in range(LANES):
            lane_damage(w, k)


@kernel
def announce(w: Vector, k: int, drives: Vector, stride: int, place: int, steps: int) -> None:
    """Tell lane k that its next dwell is number `place`; none if there are no more."""
    if place >= steps:
        w[LANES * NEXT_TIME + k] = 0.0
        return
    at = DRIVE * (stride * int(w[LANES * CELL + k]) + place)
    w[LANES * NEXT_V + k], w[LANES * NEXT_I_CC + k] = drives[at], drives[at + 1]
    w[LANES * NEXT_R_SRC + k], w[LANES * NEXT_TIME + k] = drives[at + 2], drives[at + 3]


@kernel
def enter(
    w: Vector, k: int, p: Vector, s: Vector, notes: Vector, drives: Vector, stride: int, steps: int, cell: int
) -> None:
    """Put a cell into lane k, about to go on where it is."""
    load(w, k, p, s, cell)
    w[LANES * CELL + k], w[LANES * PLACE + k] = float(cell), notes[NOTES * cell + AT]
    w[LANES * PER_TOLERANCE + k] = 1.0 / notes[NOTES * cell + PRECISION]
    w[LANES * MAY_TRY + k], w[LANES * TRIED + k] = notes[NOTES * cell + TRIES], notes[NOTES * cell + TRYING]
    w[LANES * ATTEMPT + k] = notes[NOTES * cell + TRIAL]
    w[LANES * LIMITED + k], w[LANES * V_V + k], w[LANES * VOLTS + k] = 0.0, 0.0, w[LANES * S_U + k]
    announce(w, k, drives, stride, int(w[LANES * PLACE + k]), steps)
    if notes[NOTES * cell + WHY] == HAPPENED:
        w[LANES * NEXT_TIME + k] = w[LANES * S_LEFT + k]
    w[LANES * PHASE + k] = ENTERED


@kernel
def write_down(w: Vector, k: int, found: Vector, steps: int) -> None:
    """Write down what was seen of lane k at the end of its dwell, and count it."""
    at = FOUND * (steps * int(w[LANES * CELL + k]) + int(w[LANES * PLACE + k]))
    found[at], found[at + 1], found[at + 2] = w[LANES * OUT_I + k], w[LANES * OUT_V + k], w[LANES * OUT_LIMITED + k]
    w[LANES * PLACE + k] += 1.0


@kernel
def leave(w: Vector, k: int, s: Vector, notes: Vector) -> None:
    """Take the cell out of lane k, and note why."""
    cell, phase = int(w[LANES * CELL + k]), w[LANES * PHASE + k]
    why = HAPPENED if phase == STRUCK else EXHAUSTED if phase == SPENT else GAVE_UP if phase == YIELDED else FINISHED
    notes[NOTES * cell + WHY], notes[NOTES * cell + AT] = why, w[LANES * PLACE + k]
    notes[NOTES * cell + TRYING] = w[LANES * TRIED + k]
    unload(w, k, s, cell)
    w[LANES * PHASE + k] = EMPTY


@kernel
def play(
    w: Vector, p: Vector, s: Vector, notes: Vector, queue: Vector, count: int, drives: Vector, stride: int,
    found: Vector, steps: int, damaging: bool, supplying: bool, linear: bool,
) -> None:  # fmt: skip
    """Play to the first `count` cells of the queue what is left of their dwells, each until it is done or has to come out.

    p, s, notes: of all cells; drives: DRIVE numbers for each dwell of the first cell, `stride` dwells on (0: the same) those of
    the next; found: FOUND numbers for each of `steps` dwells of each cell.
    """
    waiting, present = 0, 0
    for k in range(LANES):
        load(w, k, p, s, int(queue[0]))
        w[LANES * PHASE + k], w[LANES * Y_X + k], w[LANES * Y_R + k] = EMPTY, w[LANES * S_X + k], w[LANES * S_R + k]
        w[LANES * SHARE + k], w[LANES * SHARE_W + k] = 1.0, 0.0
    while True:
        for k in range(LANES):
            if w[LANES * DUE + k] > 0.0:
                if w[LANES * DUE + k] == DONE:
                    write_down(w, k, found, steps)
                pauses = notes[NOTES * int(w[LANES * CELL + k]) + PAUSES] > 0.5
                announce(w, k, drives, stride, steps if pauses else int(w[LANES * PLACE + k]) + 1, steps)
            if OVER <= w[LANES * PHASE + k] < EMPTY:
                leave(w, k, s, notes)
                present -= 1
            if w[LANES * PHASE + k] == EMPTY and waiting < count:
                enter(w, k, p, s, notes, drives, stride, steps, int(queue[waiting]))
                waiting, present = waiting + 1, present + 1
        if present == 0:
            return
        step_tile(w)
        evaluate(w, damaging, supplying, linear)
