"""Slides 17-18: what a network's learned stddev is worth beside one constant stddev, the best there is."""

from collections.abc import Callable
from types import SimpleNamespace

import numpy as np

from lecture10_vae.tf1 import tf, tfd
from lecture10_vae.utils.mnist import Dataset

NETWORKS = {  # and the floor of the stddev that they learn
    "constant": None,
    "learned": 0.2,
    "learned_middle_floor": 0.1,
    "learned_low_floor": 0.05,
}
SCRIPTS_FLOOR = 0.2  # of regression.py's learned stddev
EPOCHS = 24  # regression.py's, chosen on held-out training images for the stddev of 1; the same for the others


def with_floor(define_network: Callable, inputs: tf.Tensor, floor: float | None, **flags) -> tfd.Distribution:
    """What slide 18's `define_network` returns, with another floor under a stddev that it learns."""
    dist = define_network(inputs, **flags)
    return dist if floor is None else tfd.MultivariateNormalDiag(dist.mean(), dist.stddev() - SCRIPTS_FLOOR + floor)


def best_stddev(squared_error: float) -> float:
    """The constant stddev of ten outputs whose squared error, summed over them, has this mean.

    The derivative of -error / (2 stddev^2) - 10 ln stddev is 0 where stddev^2 is a tenth of the error.
    """
    return np.sqrt(squared_error / 10)


def log_prob(squared_error: float, stddev: float) -> float:
    """ln P(label|inputs) in nats, in the mean, with a constant stddev of the ten outputs."""
    return -squared_error / (2 * stddev**2) - 5 * np.log(2 * np.pi * stddev**2)


def measure(session: tf.Session, model: SimpleNamespace, train: Dataset, test: Dataset) -> dict[str, float]:
    """A trained network on test images, with the stddev it has, and with the best constant one in its place.

    Returns:
        accuracy, log_prob_nats: as it is.
        constant_stddev, constant_log_prob_nats: fitted on the training images.
        least_stddev, median_stddev: of its outputs.
        ceiling_nats: the log probability if all errors were 0 and all stddevs the least.
    """
    fetches = [model.mean, model.log_prob, model.stddev, model.squared_error]
    mean, log_probs, stddev, test_error = session.run(fetches, {model.images: test.images, model.digit: test.labels})
    train_error = session.run(model.squared_error, {model.images: train.images, model.digit: train.labels})
    constant = best_stddev(train_error.mean(dtype=np.float64))
    return {
        "accuracy": np.mean(mean.argmax(axis=1) == test.labels),
        "log_prob_nats": log_probs.mean(dtype=np.float64),
        "constant_stddev": constant,
        "constant_log_prob_nats": log_prob(test_error.mean(dtype=np.float64), constant),
        "least_stddev": float(stddev.min()),
        "median_stddev": float(np.median(stddev)),
        "ceiling_nats": log_prob(0, float(stddev.min())),
    }
