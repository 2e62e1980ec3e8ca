"""Where things lie in a tile: one vector, a row of `LANES` numbers for each parameter, each state and each value on the way.

One flat vector with rows at constant places lets a compiler see that rows never overlap, which it must know to make vector
code of a loop over lanes. What lane k has in a row is ``w[LANES * ROW + k]``. The first rows are the parameters.
"""

# so many names that a line for each would fill a page
# isort: off
from __future__ import annotations

import math

from labctl.jit import Vector, kernel

from .integrator import STATE_SIZE
from .kinetics import EDGE
from .parameters import (
    _PACKED, DELTA, DV_BD, F_RES, J_BURN, LAM_C, N_J, PHI, R_N, R_RES, T_BURN, THICKNESS, V_BD, V_L, X_0, X_MIN, B,
)  # fmt: skip
from .vector_math import falling_exp

#: cells stepped together: 24 and 40 are as fast (measured); with 16 a compiler
#: unrolls the loops over lanes instead of making vector code
LANES = 32

#: how many parameters a cell has, and then the places of its state, in the order of `integrator`
PARAMETERS = len(_PACKED)
S_X, S_R, S_X_F, S_ON, S_H, S_U, S_V, S_I_CC, S_R_SRC, S_LEFT, S_STEPS, S_TRIES, S_EVENT, S_WORN, S_BURNT = range(
    PARAMETERS, PARAMETERS + 15
)
S_WEARING, S_BURNING, S_W = range(PARAMETERS + 15, PARAMETERS + STATE_SIZE)
#: what follows from the parameters alone: sqrt(phi), b phi^1.5, 1.5 b; then reciprocals (the
#: last two of tolerance and compliance); R_RES^2 - R_N^2; exp(-v_bd/dv_bd)
ROOT, BARRIER, STEEP, PER_PHI, PER_V_L, PER_EDGE, PER_LAM_C, PER_WINDOW, PER_REACH, PER_DV_BD, PER_AMPS, SPARE = range(
    S_W + 1, S_W + 13
)
AT_REST, PER_N, PER_T_BURN, PER_TOLERANCE, PER_I_CC = range(SPARE + 1, SPARE + 6)
#: which cell is in the lane, the number of its dwell, and where it is in that (`tile_steps`)
CELL, PLACE, PHASE = range(PER_I_CC + 1, PER_I_CC + 4)
#: the next dwell: V, A, ohm, s (0: none); whether the cell may give an attempt up, is in one (0/1), and that one's voltage
NEXT_V, NEXT_I_CC, NEXT_R_SRC, NEXT_TIME, MAY_TRY, TRIED, ATTEMPT = range(PHASE + 1, PHASE + 8)
#: what is to be written down: the end of a dwell, and what is seen then (A, V, compliance? as 0/1); or only a beginning
DONE, NEWS = 1.0, 2.0
DUE, OUT_I, OUT_V, OUT_LIMITED = range(ATTEMPT + 1, ATTEMPT + 5)
#: a point: gap, radius (nm), supply, first guess of U (V), new? (0/1); there: 1/r, channels times G0 (S), circuit's ohms
Y_X, Y_R, Y_W, GUESS, FRESH, PER_R, CHANNELS, RESISTANCE = range(OUT_LIMITED + 1, OUT_LIMITED + 9)
#: the circuit there: U (V), I (A), compliance? (0/1), dU/dx, dU/dr, dU/d(source), dI/dx, dI/dr; ...
VOLTS, AMPS, LIMITED, V_X, V_R, V_V, A_X, A_R = range(RESISTANCE + 1, RESISTANCE + 9)
#: ... and its iteration: what is looked for, steps so far, bracket, last steps, U that a current I_CC would leave (V)
MODE, TURN, LOW, HIGH, LAST, BEFORE, ROOM = range(A_R + 1, A_R + 8)
#: w^q and its slope; dw/dt, its d/dU and d/dw; damage of oxide and filament per second
SHARE, SHARE_W, IN, IN_U, IN_W, WORE, BURNED = range(ROOM + 1, ROOM + 8)
#: slopes there: dx/dt, dr/dt, dw/dt; whether the lane has arrived (0/1), that is, its next step begins there
F_X, F_R, F_W, ARRIVES = range(BURNED + 1, BURNED + 5)
#: at the start of a step: these slopes, U and how it moves, and the Jacobian row by row (by x, r, w); ...
G_X, G_R, G_W, G_U, G_VX, G_VR, K_XX, K_XR, K_XW, K_RX, K_RR, K_RW, K_WX, K_WR, K_WW = range(ARRIVES + 1, ARRIVES + 16)
#: ... the step being tried (s), and its first stage
STEP, ONE_X, ONE_R, ONE_W = range(K_WW + 1, K_WW + 5)
ROWS = ONE_W + 1

#: where a lane is: at the start of a dwell, the first stage, the end of a step, just moved there, about to try again
STARTING, STAGED, TAKEN, MOVED, AGAIN = 0.0, 1.0, 2.0, 3.0, 4.0
#: or about to begin a dwell
ENTERED = 5.0
#: or why it waits: all its time is up, something happened (S_EVENT says what), the bound on steps was hit, an attempt is
#: given up; or nobody is there
OVER, STRUCK, SPENT, YIELDED, EMPTY = 6.0, 7.0, 8.0, 9.0, 10.0
#: what a lane's circuit is looking for: nothing any more, the voltage the source leaves, the voltage of its compliance
FOUND_IT, AT_VOLTAGE, AT_CURRENT = 0.0, 1.0, 2.0


@kernel
def load(w: Vector, k: int, p: Vector, s: Vector, cell: int) -> None:
    """Put a cell's parameters and state into lane k, with what follows from them."""
    for row in range(PARAMETERS):
        w[LANES * row + k] = p[PARAMETERS * cell + row]
    for row in range(STATE_SIZE):
        w[LANES * (PARAMETERS + row) + k] = s[STATE_SIZE * cell + row]
    phi, b = w[LANES * PHI + k], w[LANES * B + k]
    w[LANES * ROOT + k] = math.sqrt(phi)
    w[LANES * BARRIER + k] = b * phi * math.sqrt(phi)
    w[LANES * STEEP + k] = 1.5 * b
    w[LANES * PER_PHI + k] = 1.0 / phi
    w[LANES * PER_V_L + k] = 1.0 / w[LANES * V_L + k]
    w[LANES * PER_EDGE + k] = 1.0 / (EDGE * w[LANES * DELTA + k])
    w[LANES * PER_LAM_C + k] = 1.0 / w[LANES * LAM_C + k]
    w[LANES * PER_WINDOW + k] = 1.0 / (w[LANES * X_0 + k] - w[LANES * X_MIN + k])
    w[LANES * PER_REACH + k] = 1.0 / (w[LANES * F_RES + k] * w[LANES * THICKNESS + k])
    w[LANES * PER_DV_BD + k] = 1.0 / w[LANES * DV_BD + k]
    w[LANES * PER_AMPS + k] = 1.0 / (math.pi * w[LANES * J_BURN + k])
    w[LANES * PER_N + k] = 1.0 / w[LANES * N_J + k]
    w[LANES * PER_T_BURN + k] = 1.0 / w[LANES * T_BURN + k]
    w[LANES * AT_REST + k] = falling_exp((0.0 - w[LANES * V_BD + k]) * w[LANES * PER_DV_BD + k])
    r_n, r_res = w[LANES * R_N + k], w[LANES * R_RES + k]
    w[LANES * SPARE + k] = r_res * r_res - r_n * r_n


@kernel
def unload(w: Vector, k: int, s: Vector, cell: int) -> None:
    """Put the state in lane k back to its cell."""
    for row in range(STATE_SIZE):
        s[STATE_SIZE * cell + row] = w[LANES * (PARAMETERS + row) + k]
