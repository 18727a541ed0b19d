"""Slides 7-8: the bound of a diagonal Gaussian for each image, by quadrature, and the Gaussian with the highest.

A model is the VAE of slide 23; its codes have two dimensions.
"""

from types import SimpleNamespace
from typing import NamedTuple

from lecture10_vae.studies import evidence
from lecture10_vae.tf1 import tf

import numpy as np


class Gaussian(NamedTuple):
    """A diagonal one for each of N images, of D dimensions: two but in beyond/cremer.py."""

    mean: np.ndarray  # [N, D]
    stddev: np.ndarray  # [N, D]


def gauss_hermite(points: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes [points ** 2, 2] and weights [points ** 2] of an expectation under N(0, I) in the plane.

    Exact where what is averaged is a polynomial of a degree below 2 * points in each dimension.
    """
    nodes, weights = np.polynomial.hermite_e.hermegauss(points)
    weights = weights / weights.sum()
    return np.stack(np.meshgrid(nodes, nodes), axis=-1).reshape(-1, 2), np.outer(weights, weights).ravel()


def log_joint(session: tf.Session, model: SimpleNamespace, images: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """ln P(x,z) in nats, [K, N], of images [N, 28, 28] with K codes each, [K, N, 2], whose prior is N(0, I)."""
    feeds = ({model.images: images, model.code: code} for code in codes)
    log_likelihood = np.array([session.run(model.reconstruction, feed) for feed in feeds])
    return log_likelihood + evidence.log_prior(codes)


def bounds(session, model, images: np.ndarray, posterior: Gaussian, points: int = 8) -> np.ndarray:
    """The bound of each image, [N] in nats, by Gauss-Hermite quadrature."""
    nodes, weights = gauss_hermite(points)
    codes = posterior.mean + posterior.stddev * nodes[:, np.newaxis]
    return weights @ log_joint(session, model, images, codes) + entropy(posterior.stddev)


def entropy(stddev: np.ndarray) -> np.ndarray:
    """Of diagonal Gaussians with stddevs [N, D], in nats: [N]."""
    return (np.log(stddev) + (1 + np.log(2 * np.pi)) / 2).sum(axis=1)


def start(session: tf.Session, model: SimpleNamespace, images: np.ndarray, encoder: Gaussian) -> Gaussian:
    """Where to refit from: for each image the code of a grid with the highest ln P(x,z), and the encoder's stddevs.

    From the encoder's means some would climb the lower of two humps.
    """
    codes, _ = evidence.code_grid(81, evidence.reach(encoder.mean))
    decoded = evidence.decode(session, model, codes)
    highest = [evidence.log_joint(some, *decoded).argmax(axis=1) for some in evidence.split(images, evidence.GROUP)]
    return Gaussian(codes[np.concatenate(highest)].astype(np.float64), encoder.stddev)


def refit(
    session: tf.Session,
    model: SimpleNamespace,
    images: np.ndarray,
    start: Gaussian,
    parts: tuple[str, ...] = ("mean", "stddev"),
    steps: int = 10,
    rate: float = 0.5,
) -> Gaussian:
    """Raises the bound of each image by steps on its Gaussian's means, stddevs or both; keeps the best on the way.

    At a maximum of the bound E[d ln P(x,z)/dz] = 0 and E[d^2 ln P(x,z)/dz^2] = -1 / stddev^2 (Opper, Archambeau 2009);
    each step goes a part of the way there. Both expectations follow from values of ln P(x,z) alone, as for a Gaussian
    E[f'] = E[f eps] / stddev, E[f''] = E[f (eps^2 - 1)] / stddev^2 with eps = (z - mean) / stddev.
    """
    nodes, weights = gauss_hermite(4)
    mean, stddev = start
    best, best_bound = Gaussian(*map(np.copy, start)), np.full(len(images), -np.inf)
    for _ in range(steps):
        values = log_joint(session, model, images, mean + stddev * nodes[:, np.newaxis])
        bound = weights @ values + entropy(stddev)
        better = bound > best_bound
        best_bound[better], best.mean[better], best.stddev[better] = bound[better], mean[better], stddev[better]
        values = weights[:, np.newaxis] * (values - values.mean(axis=0))
        slope = np.einsum("kn,kd->nd", values, nodes) / stddev
        curvature = np.einsum("kn,kd->nd", values, nodes**2 - 1) / stddev**2
        if "stddev" in parts:
            precision = (1 - rate) / stddev**2 - rate * curvature
            stddev = 1 / np.sqrt(np.maximum(precision, 0.5 / stddev**2))
        if "mean" in parts:
            mean = mean + rate * stddev**2 * slope
    return best
