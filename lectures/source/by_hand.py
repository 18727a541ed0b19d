"""Slide 6 by hand: z ~ N(0, 1), x | z ~ N(z, s^2), and Q = N(m, v^2), all in one dimension, in closed form.

Numbers in nats. The notes derive these lines, and tests/test_lectures.py holds each against quadrature.
"""

from math import log, pi


def log_evidence(x: float, s: float) -> float:
    """ln P(x): x is the sum of two independent Gaussians, N(0, 1 + s^2)."""
    return -log(2 * pi * (1 + s**2)) / 2 - x**2 / (2 * (1 + s**2))


def posterior(x: float, s: float) -> tuple[float, float]:
    """Mean and stddev of P(z|x)."""
    return x / (1 + s**2), s / (1 + s**2) ** 0.5


def reconstruction(x: float, s: float, m: float, v: float) -> float:
    """E_Q[ln P(x|z)]."""
    return -log(2 * pi * s**2) / 2 - ((x - m) ** 2 + v**2) / (2 * s**2)


def divergence(m: float, v: float, mean: float = 0.0, stddev: float = 1.0) -> float:
    """KL[N(m, v^2) || N(mean, stddev^2)]: of the prior, where nothing else is said."""
    ratio = v / stddev
    return (ratio**2 + ((m - mean) / stddev) ** 2 - 1) / 2 - log(ratio)


def bound(x: float, s: float, m: float, v: float) -> float:
    """Slide 6, last line."""
    return reconstruction(x, s, m, v) - divergence(m, v)


def gap(x: float, s: float, m: float, v: float) -> float:
    """KL[Q || P(z|x)]."""
    return divergence(m, v, *posterior(x, s))


def slope(x: float, s: float, m: float, v: float) -> tuple[float, float]:
    """The bound's derivatives in m and v."""
    return (x - m) / s**2 - m, 1 / v - v * (1 + 1 / s**2)
