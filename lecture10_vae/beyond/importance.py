"""ln P(x) of images by importance sampling, where codes have too many dimensions for a grid; with its own error.

A model has `images`, `posterior` and `log_weights`, as iwae.py names them.
"""

from types import SimpleNamespace
from typing import NamedTuple

from lecture10_vae.each_batch import each_batch
from lecture10_vae.tf1 import tf

import numpy as np
from scipy.special import logsumexp
from tqdm import tqdm

IMAGES, SAMPLES = 20, 50  # codes of so many images at a time: few enough for a processor's cache


class Estimate(NamedTuple):
    """Of N images, in nats."""

    log_likelihood: np.ndarray  # [N], ln of the mean weight of all samples: in the mean, a lower bound of ln P(x)
    bound: np.ndarray  # [N], the mean bound of as many samples at a time as the model is trained with
    elbo: np.ndarray  # [N], the same of one: slide 22
    half: np.ndarray  # [N], as log_likelihood, by half of the samples at a time: what more samples would still add
    error: np.ndarray  # [N], standard error of log_likelihood, as far as these samples tell
    elbo_error: np.ndarray  # [N], standard error of elbo


def build_graph(model: SimpleNamespace, cut: list[tf.Tensor]) -> tf.Tensor:
    """ln w of SAMPLES codes for each of IMAGES images after the other: [rounds, SAMPLES, IMAGES].

    It depends on the placeholders that are `cut`: the images, and what else there is one of for each image.
    """
    return each_batch(model.log_weights(model.posterior.sample(SAMPLES)), IMAGES, cut)


def estimate(
    session: tf.Session,
    log_weights: tf.Tensor,
    rows: dict[tf.Tensor, np.ndarray],
    samples: int = 5_000,
    at_a_time: int = 1,
) -> Estimate:
    """What `samples` codes of each image come to.

    Args:
        log_weights: of `build_graph`.
        rows: what is fed, N rows each: the images, [N, 28, 28], and what else the weights depend on.
        at_a_time: samples of a bound.
    """
    count, rounds, parts = len(next(iter(rows.values()))), -(-samples // SAMPLES), []
    for start in tqdm(range(0, count, IMAGES), "ln P(x)", disable=None, leave=False):
        chosen = np.resize(np.arange(start, min(start + IMAGES, count)), IMAGES)  # the last ones may be fewer: repeated
        feed = {tensor: np.tile(values[chosen], (rounds, *[1] * (values.ndim - 1))) for tensor, values in rows.items()}
        values = session.run(log_weights, feed).reshape(-1, IMAGES)
        parts.append(summarize(values[:samples, : count - start], at_a_time))
    return Estimate(*(np.concatenate(part) for part in zip(*parts, strict=True)))


def summarize(log_weights: np.ndarray, at_a_time: int = 1) -> Estimate:
    """The same from the logarithms of weights [samples, N]."""
    samples = len(log_weights)
    mean = log_mean(log_weights, samples)
    # By the delta method: the relative error of a mean weight is the error of its logarithm
    error = np.sqrt((np.exp(2 * (log_weights - mean)).mean(axis=0) - 1) / samples)
    elbo_error = log_weights.std(axis=0, ddof=1, dtype=np.float64) / np.sqrt(samples)
    bound, elbo, half = (log_mean(log_weights, count) for count in (at_a_time, 1, samples // 2))
    return Estimate(mean, bound, elbo, half, error, elbo_error)


def log_mean(log_weights: np.ndarray, at_a_time: int) -> np.ndarray:
    """ln of the mean weight of so many samples at a time, mean over such groups: [samples, N] -> [N]."""
    whole = len(log_weights) // at_a_time * at_a_time
    groups = log_weights[:whole].astype(np.float64).reshape(-1, at_a_time, log_weights.shape[1])
    return (logsumexp(groups, axis=1) - np.log(at_a_time)).mean(axis=0)


def measure(
    session: tf.Session, model: SimpleNamespace, log_weights: tf.Tensor, images: np.ndarray, samples: int, k: int
) -> dict[str, float]:
    """Means over images [N, 28, 28], in nats, with what is known of the estimate's own error; and the active units.

    Args:
        log_weights: of `build_graph`.
        k: samples of a bound.
    """
    of_each, count = estimate(session, log_weights, {model.images: images}, samples, k), len(images)
    return {
        "test_log_likelihood_nats": of_each.log_likelihood.mean(),
        "test_log_likelihood_standard_error_nats": of_each.log_likelihood.std(ddof=1) / np.sqrt(count),  # by the images
        "log_likelihood_sampling_error_nats": np.sqrt((of_each.error**2).sum()) / count,  # by the codes
        "gained_over_half_the_samples_nats": (of_each.log_likelihood - of_each.half).mean(),
        "log_likelihood_samples": samples,
        "test_bound_nats": of_each.bound.mean(),
        "test_elbo_nats": of_each.elbo.mean(),
        "active_units": active_units(session.run(model.mean, {model.images: images})),
    }


def active_units(means: np.ndarray) -> int:
    """How many of a code's dimensions are active as Burda et al. 2016 count: Var_x(E[z_i|x]) > 0.01, means [N, D]."""
    return int((means.var(axis=0) > 0.01).sum())
