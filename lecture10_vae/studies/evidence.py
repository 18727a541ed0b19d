"""Slide 5 for a trained decoder: ln P(x) of images, by quadrature over codes or bounded by importance sampling.

A model has `prior`, `posterior`, `code`, `dist` and `reconstruction`, as slide 23 names them; slide 7's, too.
"""

from types import SimpleNamespace

import numpy as np
from scipy.special import logsumexp
from tqdm import tqdm

from lecture10_vae.tf1 import tf

DOUBTFUL = 0.1  # nats by which two grids may differ; those of the lecture's VAE differ by a tenth of it


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
    """For codes [M, code_size]: the logits of their pixels [M, 784], and ln P(z) in nats [M]."""
    fetches = [model.dist.distribution.logits, model.prior.log_prob(model.code)]
    logit, log_prior = session.run(fetches, {model.code: codes})
    return logit.reshape(len(codes), -1), log_prior


def log_joint(images: np.ndarray, logit: np.ndarray, log_prior: np.ndarray) -> np.ndarray:
    """ln P(x,z) in nats for all pairs of N images and M decoded codes, [N, M], by one matrix product.

    A Bernoulli's ln P(x|z) is x logit - ln(1 + exp(logit)), summed over the pixels.
    """
    return images.reshape(len(images), -1) @ logit.T - np.logaddexp(0, logit).sum(axis=1) + log_prior


def by_quadrature(session: tf.Session, model: SimpleNamespace, images: np.ndarray, half_width=6.0, points=121):
    """ln P(x) in nats, [N], summed over a grid of codes of two dimensions."""
    codes, cell = code_grid(points, half_width)
    logit, log_prior = decode(session, model, codes)
    log_likelihood = np.full(len(images), -np.inf)
    parts = np.array_split(np.arange(len(codes)), 50)  # a fiftieth of the memory
    for some in tqdm(parts, "ln P(x)", disable=None, leave=False):
        part = log_integral(log_joint(images, logit[some], log_prior[some]), cell)
        log_likelihood = np.logaddexp(log_likelihood, part)
    return log_likelihood


def by_importance(session: tf.Session, model: SimpleNamespace, images: np.ndarray, draws: int = 200) -> np.ndarray:
    """ln of the mean of P(x,z) / Q(z|x) over draws from Q(z|x), in nats, [N]: in the mean, a lower bound of ln P(x)."""
    log_weight = model.reconstruction + model.prior.log_prob(model.code) - model.posterior.log_prob(model.code)
    feeds = ({model.images: images, model.noise_seed: [draw, -1]} for draw in range(draws))
    return logsumexp([session.run(log_weight, feed) for feed in feeds], axis=0) - np.log(draws)


def reach(session: tf.Session, model: SimpleNamespace, images: np.ndarray) -> float:
    """The half width of a grid that holds the prior's mass and every image's code, which may lie far out."""
    return max(6.0, np.abs(session.run(model.mean, {model.images: images})).max() + 1)


def measure(session: tf.Session, model: SimpleNamespace, images: np.ndarray) -> dict[str, object]:
    """ln P(x), mean over the images, or a lower bound of it where codes do not have two dimensions; and how."""
    if model.code.shape[1] != 2:
        return {
            "test_log_likelihood_bound_nats": by_importance(session, model, images).mean(),
            "log_likelihood_method": "200 samples of Q(z|x)",
        }
    half_width = reach(session, model, images)
    mean, coarser = (by_quadrature(session, model, images, half_width, points).mean() for points in (121, 81))
    return {
        "test_log_likelihood_nats": mean,
        "log_likelihood_method": "quadrature on 121 x 121 codes",
        "log_likelihood_grid_error_nats": abs(mean - coarser),  # of the coarser grid, 81 x 81
    }


def describe(numbers: dict[str, object]) -> str:
    """A line that says what `measure` came to."""
    if "test_log_likelihood_bound_nats" in numbers:
        return "ln P(x) at least {test_log_likelihood_bound_nats:.2f}, by {log_likelihood_method}".format(**numbers)
    line = "ln P(x) {test_log_likelihood_nats:.2f}, by {log_likelihood_method}".format(**numbers)
    error = numbers["log_likelihood_grid_error_nats"]
    return line if error < DOUBTFUL else f"{line}\nDoubtful: a grid of 81 x 81 codes differs by {error:.2f} nats."
