"""Slide 5: the integral P(x) = ∫ P(x|z) P(z) dz, by quadrature over a code of two dimensions."""

import numpy as np
from scipy.special import logsumexp


def code_grid(points: int = 201, half_width: float = 6.0) -> tuple[np.ndarray, float]:
    """An even grid over the square [-half_width, half_width]^2 of codes.

    Outside of it the prior N(0, I) has a mass of 4e-9 at the default half width.

    Returns:
        codes: float32 [points * points, 2], the first dimension changing slowest.
        cell: the area that each code stands for.
    """
    axis = np.linspace(-half_width, half_width, points, dtype=np.float32)
    codes = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    return codes, (2 * half_width / (points - 1)) ** 2


def log_integral(log_integrand: np.ndarray, cell: float) -> np.ndarray:
    """ln ∫ exp(log_integrand) dz over a `code_grid`, whose codes are the last axis (trapezoidal rule)."""
    return logsumexp(log_integrand, axis=-1) + np.log(cell)
