"""Slide 5 for a trained decoder: ln P(x) of images, by quadrature over codes or bounded by importance sampling.

A model has `images`, `code`, `dist` and `reconstruction` as vae.py names them, and the prior N(0, I); for importance
sampling also the `mean` and `stddev` of Q(z|x). Nothing is added to its graph. For grey pixels ln P(x) is defined by a
cross entropy, and is not a log likelihood.
"""

from types import SimpleNamespace
from typing import NamedTuple

from lecture10_vae.tf1 import tf

import numpy as np
from scipy import ndimage
from scipy.special import logsumexp
from tqdm import tqdm

GROUP = 100  # images whose joint densities with all codes are held at a time
NEGLIGIBLE = 25  # nats below the highest density: codes so far down add less than 1e-6 nats together
DOUBTFUL = 0.5  # nats by which the coarse grid may be off; the fine one is off by about the fourth power of it


class Quadrature(NamedTuple):
    """Of N images, in nats."""

    log_likelihood: np.ndarray  # ln P(x), [N]
    coarse: np.ndarray  # the same by every second code in each dimension, [N]: its distance hints at the error


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
    largest = log_integrand.max(axis=-1, keepdims=True)  # taken out, so that exp does not overflow
    return largest[..., 0] + np.log(np.exp(log_integrand - largest).sum(axis=-1) * cell)


def decode(session: tf.Session, model: SimpleNamespace, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For codes [M, code_size]: the logits of their pixels [M, 784], and ln P(x,z) in nats of an empty image x, [M]."""
    logit, log_empty = np.empty([len(codes), 784], np.float32), np.empty(len(codes), np.float32)
    for start in range(0, len(codes), 1_000):
        some = codes[start : start + 1_000]
        feed = {model.code: some, model.images: np.zeros([len(some), 28, 28], np.float32)}
        logits, log_likelihood = session.run([model.dist.distribution.logits, model.reconstruction], feed)
        logit[start : start + 1_000] = logits.reshape(len(some), -1)
        log_empty[start : start + 1_000] = log_likelihood + log_prior(some)
    return logit, log_empty


def log_prior(codes: np.ndarray) -> np.ndarray:
    """ln P(z) in nats of codes [..., code_size] under N(0, I), slide 24: [...]."""
    return -(codes**2 + np.log(2 * np.pi)).sum(axis=-1) / 2


def log_joint(images: np.ndarray, logit: np.ndarray, log_empty: np.ndarray) -> np.ndarray:
    """ln P(x,z) in nats for all pairs of N images and M decoded codes, [N, M], by one matrix product.

    A Bernoulli's ln P(x|z) is x logit - ln(1 + exp(logit)), summed over the pixels; an empty image has the second part.
    """
    return images.reshape(len(images), -1) @ logit.T + log_empty


def split(rows: np.ndarray, size: int) -> list[np.ndarray]:
    """The rows in parts of at most `size`, which take less memory than all of them."""
    return np.array_split(rows, -(-len(rows) // size))


def by_quadrature(
    session: tf.Session, model: SimpleNamespace, images: np.ndarray, half_width=6.0, points=121
) -> Quadrature:
    """ln P(x), summed over a grid of points x points codes of two dimensions, an odd number in each.

    An image's posterior is narrow. So first every second code is tried, and then of the others those near its mass,
    for a group of images with neighbouring posteriors at a time.
    """
    codes, cell = code_grid(points, half_width)
    logit, log_empty = decode(session, model, codes)
    second = np.arange(points**2).reshape(points, points)[::2, ::2].ravel()
    every_second = logit[second], log_empty[second]
    coarse, best = np.empty((2, len(images)), np.float32)
    has_mass = np.empty((len(images), -(-len(second) // 8)), np.uint8)  # a bit for each image and code
    for group in tqdm(split(np.arange(len(images)), GROUP), "ln P(x)", disable=None, leave=False):
        joint = log_joint(images[group], *every_second)
        coarse[group], best[group] = log_integral(joint, 4 * cell), joint.argmax(axis=1)
        has_mass[group] = np.packbits(joint > joint.max(axis=1, keepdims=True) - NEGLIGIBLE, axis=1)

    log_likelihood = np.empty_like(coarse)
    for group in split(np.argsort(best), GROUP):
        near = np.zeros((points, points), bool)
        for_any = np.bitwise_or.reduce(has_mass[group], axis=0)
        near[::2, ::2] = np.unpackbits(for_any, count=len(second)).reshape(near[::2, ::2].shape)
        near = ndimage.maximum_filter(near, 3).ravel()
        log_likelihood[group] = log_integral(log_joint(images[group], logit[near], log_empty[near]), cell)
    return Quadrature(log_likelihood, coarse)


def by_importance(session: tf.Session, model: SimpleNamespace, images: np.ndarray, draws: int = 200) -> np.ndarray:
    """ln of the mean of P(x,z) / Q(z|x) over draws from Q(z|x), in nats, [N]: in the mean, a lower bound of ln P(x)."""
    log_weights = np.empty([draws, len(images)])
    for draw in range(draws):
        fetches = [model.reconstruction, model.code, model.mean, model.stddev]
        reconstruction, code, mean, stddev = session.run(fetches, {model.images: images})
        log_posterior = log_prior((code - mean) / stddev) - np.log(stddev).sum(axis=1)
        log_weights[draw] = reconstruction + log_prior(code) - log_posterior
    return logsumexp(log_weights, axis=0) - np.log(draws)


def reach(codes: np.ndarray) -> float:
    """The half width of a grid that holds the prior's mass and the codes [N, 2] of images, which may lie far out."""
    return max(6.0, np.abs(codes).max() + 1)


def measure(session: tf.Session, model: SimpleNamespace, images: np.ndarray) -> dict[str, object]:
    """ln P(x), mean over the images, or a lower bound of it where codes do not have two dimensions; and how."""
    if model.code.shape[1] != 2:
        return {
            "test_log_likelihood_bound_nats": by_importance(session, model, images).mean(),
            "log_likelihood_method": "200 samples of Q(z|x)",
        }
    half_width = reach(session.run(model.mean, {model.images: images}))
    log_likelihood, coarse = by_quadrature(session, model, images, half_width)
    difference = np.abs(log_likelihood - coarse)
    return {
        "test_log_likelihood_nats": log_likelihood.mean(),
        "log_likelihood_method": "quadrature on 121 x 121 codes",
        "coarse_grid_error_nats": difference.mean(),  # of the grid of 61 x 61: mean and maximum over images
        "coarse_grid_largest_error_nats": difference.max(),
    }


def describe(numbers: dict[str, object]) -> str:
    """A line that says what `measure` came to."""
    if "test_log_likelihood_bound_nats" in numbers:
        return "ln P(x) at least {test_log_likelihood_bound_nats:.2f}, by {log_likelihood_method}".format(**numbers)
    line = "ln P(x) {test_log_likelihood_nats:.2f}, by {log_likelihood_method}".format(**numbers)
    error = numbers["coarse_grid_error_nats"]
    return line if error < DOUBTFUL else f"{line}\nDoubtful: a grid of 61 x 61 codes is off by {error:.2f} nats."
