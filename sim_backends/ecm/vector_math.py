"""Exponential, logarithm and power that a compiler can turn into vector instructions, to the bit the same in plain Python.

A loop over lanes becomes vector code only if nothing in it is a call: the C library's exp is one, and numba from PyPI has
no vector library. These are arithmetic and two tricks with the bits of a float, which plain Python does by `math`.
"""

from __future__ import annotations

import math

from labctl.jit import enabled, kernel

#: 1.5 * 2^52: added to a small float it leaves the nearest whole number in the low bits, taken away again that number
ROUND = 6755399441055744.0
#: 2^52, whose bits with a small whole number in the lowest are the float 2^52 + that number
COUNT = 4503599627370496.0
#: 1/ln 2, and ln 2 in a part of 32 bits, whose products with exponents are exact, and the rest (fdlibm e_exp.c)
PER_LN2 = 1.44269504088896338700
LN2_HIGH = 6.93147180369123816490e-01
LN2_LOW = 1.90821492927058770002e-10
#: exponents outside give the value at the edge; both are normal numbers
LOWEST, HIGHEST = -708.0, 709.0
#: minimax polynomial of ln((1 + s)/(1 - s)) - 2 s in s^2, over s^3 (fdlibm e_log.c, Lg1 to Lg7)
L_1, L_2, L_3, L_4 = (
    6.666666666666735130e-01,
    3.999999999940941908e-01,
    2.857142874366239149e-01,
    2.222219843214978396e-01,
)
L_5, L_6, L_7 = 1.818357216161805012e-01, 1.531383769920937332e-01, 1.479819860511658591e-01
SQRT_2 = 1.41421356237309504880

if enabled():
    import numpy as np

    @kernel
    def two_to(rounded: float) -> float:
        """Compute 2^n of ROUND + n, n a whole number from -1022 to 1023."""
        return np.int64((np.float64(rounded).view(np.int64) + 1023) << 52).view(np.float64)

    @kernel
    def split(x: float) -> tuple[float, float]:
        """Split a positive normal x into m in [1, 2) and n, x = m 2^n."""
        bits = np.float64(x).view(np.int64)
        m = np.int64((bits & 0x000FFFFFFFFFFFFF) | 0x3FF0000000000000).view(np.float64)
        n = np.int64((bits >> 52) | 0x4330000000000000).view(np.float64) - (COUNT + 1023.0)
        return m, n

else:

    def two_to(rounded: float) -> float:
        """Compute 2^n of ROUND + n, n a whole number from -1022 to 1023."""
        return math.ldexp(1.0, int(rounded - ROUND))

    def split(x: float) -> tuple[float, float]:
        """Split a positive normal x into m in [1, 2) and n, x = m 2^n."""
        m, n = math.frexp(x)
        return 2.0 * m, n - 1.0


@kernel
def bounded_exp(x: float) -> float:
    """Compute exp(x) for x from -708 to 709, to 4e-16: x = n ln 2 + r, the Taylor series of exp(r), and 2^n."""
    rounded = x * PER_LN2 + ROUND
    n = rounded - ROUND
    r = (x - n * LN2_HIGH) - n * LN2_LOW
    # |r| <= ln(2)/2, where the 13th power over 13! is below 2e-16
    r_2 = r * r
    r_4 = r_2 * r_2
    a = (1.0 + r) + r_2 * (1.0 / 2.0 + r * (1.0 / 6.0))
    b = (1.0 / 24.0 + r * (1.0 / 120.0)) + r_2 * (1.0 / 720.0 + r * (1.0 / 5040.0))
    c = (1.0 / 40320.0 + r * (1.0 / 362880.0)) + r_2 * (1.0 / 3628800.0 + r * (1.0 / 39916800.0))
    return (a + r_4 * (b + r_4 * (c + r_4 * (1.0 / 479001600.0)))) * two_to(rounded)


@kernel
def falling_exp(x: float) -> float:
    """Compute exp(x) for x up to 709; 3e-308 below -708."""
    return bounded_exp(max(x, LOWEST))


@kernel
def fast_exp(x: float) -> float:
    """Compute exp(x); 3e-308 below -708, 8e307 above 709."""
    return bounded_exp(min(max(x, LOWEST), HIGHEST))


@kernel
def fast_log(x: float) -> float:
    """Compute ln(x) of a positive normal x to 2e-16 of it or of ln 2, as fdlibm does."""
    m, n = split(x)
    large = m > SQRT_2
    m = 0.5 * m if large else m
    n = n + 1.0 if large else n
    f = m - 1.0
    s = f / (2.0 + f)
    z = s * s
    z_2 = z * z
    rest = z * (L_1 + z_2 * (L_3 + z_2 * (L_5 + z_2 * L_7))) + z_2 * (L_2 + z_2 * (L_4 + z_2 * L_6))
    half = 0.5 * f * f
    return n * LN2_HIGH - ((half - (s * (half + rest) + n * LN2_LOW)) - f)


@kernel
def fast_power(x: float, power: float) -> float:
    """Compute x^power of a positive normal x; the relative error is 4e-16 times 1 + |power ln x|."""
    return fast_exp(power * fast_log(x))
