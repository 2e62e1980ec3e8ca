"""Dense elimination for the stages of `charged_integrator`: 1 - h J of as many states as there are, factored once for both."""

from __future__ import annotations

from labctl.jit import Vector, kernel

from .charged_circuit import J_0, ORDER, SIZE, WIDTH, M


@kernel
def exchange(w: Vector, at: int, other: int, count: int) -> None:
    """Exchange `count` numbers at two places."""
    for k in range(count):
        kept = w[at + k]
        w[at + k] = w[other + k]
        w[other + k] = kept


@kernel
def pivot(w: Vector, column: int) -> bool:
    """Bring the largest entry of the column on or below the diagonal up to it; tell whether rows were exchanged."""
    best = column
    for row in range(column + 1, int(w[SIZE])):
        if abs(w[M + WIDTH * row + column]) > abs(w[M + WIDTH * best + column]):
            best = row
    w[ORDER + column] = float(best)
    if best == column:
        return False
    exchange(w, M + WIDTH * column, M + WIDTH * best, WIDTH)
    return True


@kernel
def one_minus(w: Vector, h: float) -> None:
    """Put 1 - h J_0 into the matrix; h: s."""
    for row in range(int(w[SIZE])):
        for k in range(WIDTH):
            w[M + WIDTH * row + k] = -h * w[J_0 + WIDTH * row + k]
        w[M + (WIDTH + 1) * row] += 1.0


@kernel
def factor(w: Vector, h: float) -> float:
    """Factor 1 - h J_0 by elimination, as the matrix of `substitute`, and return the sign of its determinant; h: s."""
    one_minus(w, h)
    size, sign = int(w[SIZE]), 1.0
    for column in range(size):
        if pivot(w, column):
            sign = -sign
        diagonal = w[M + (WIDTH + 1) * column]
        if diagonal == 0.0:
            return 0.0
        if diagonal < 0.0:
            sign = -sign
        for row in range(column + 1, size):
            share = w[M + WIDTH * row + column] / diagonal
            w[M + WIDTH * row + column] = share
            for k in range(column + 1, size):
                w[M + WIDTH * row + k] -= share * w[M + WIDTH * column + k]
    return sign


@kernel
def substitute(w: Vector, rhs: int) -> None:
    """Solve the factored system for the right-hand side w[rhs...] in place."""
    size = int(w[SIZE])
    for column in range(size):
        exchange(w, rhs + column, rhs + int(w[ORDER + column]), 1)
    for row in range(size):
        for k in range(row):
            w[rhs + row] -= w[M + WIDTH * row + k] * w[rhs + k]
    for row in range(size - 1, -1, -1):
        for k in range(row + 1, size):
            w[rhs + row] -= w[M + WIDTH * row + k] * w[rhs + k]
        w[rhs + row] /= w[M + (WIDTH + 1) * row]
