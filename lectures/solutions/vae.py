"""Slides 9-10 and 22-26: solutions to the exercises of lectures/exercises/vae.py.

    .venv/bin/python lectures/solutions/vae.py

Ten seconds on two cores, most of them for training.
"""

from unittest import mock

import numpy as np
from scipy.spatial import KDTree

from lecture10_vae import vae
from lecture10_vae.studies.training import train
from lecture10_vae.tf1 import tf, tfd
from lecture10_vae.utils import mnist
from lectures.exercises import check


def bound_without_a_code() -> float:
    """Exercise 1: ln P(x) of the test images, grey, in nats; there is no code, so that the KL is 0."""
    images, test = mnist.load("train").images, mnist.load("test").images
    mean = (images.sum(axis=0, dtype=np.float64) + 1) / (len(images) + 2)  # with one white and one black image more
    log_prob = test * np.log(mean) + (1 - test) * np.log(1 - mean)
    return log_prob.sum(axis=(1, 2)).mean()


def bound_when_averaged_over_pixels(epochs: int = 1, seed: int = 0) -> float:
    """Exercise 2: the bound of the test images, with the sum where it belongs, in nats."""
    with tf.Graph().as_default(), tf.Session() as session:
        model = vae.build_graph(seed=seed)
        averaged = model.reconstruction / (28 * 28) - model.kl
        optimize = tf.train.AdamOptimizer().minimize(-tf.reduce_mean(averaged))
        train(session, optimize, mnist.load("train"), epochs, model.images, seed=seed)
        return vae.evaluate(session, model, mnist.load("test").images)["elbo"]


def alike_by_code(code_size: int = 5, epochs: int = 5, seed: int = 0) -> float:
    """Exercise 3: in percent of the first 1,000 test images; the first 10,000 training images are known."""
    known, new = mnist.load("train").first(10_000), mnist.load("test").first(1_000)
    with tf.Graph().as_default(), tf.Session() as session:
        model = vae.build_graph(code_size, seed=seed)
        train(session, model.optimize, known, epochs, model.images, seed=seed)
        codes, new_codes = (session.run(model.mean, {model.images: part.images}) for part in (known, new))
    _, nearest = KDTree(codes).query(new_codes)
    return 100 * np.mean(known.labels[nearest] == new.labels)


def make_encoder_with_covariance(images, code_size=2, hidden_size=100):
    """Slide 24's encoder with one more head, the lower left of the covariance's Cholesky factor: batch shape [N]."""
    hidden = tf.layers.dense(tf.layers.flatten(images), hidden_size, tf.nn.relu, name="hidden")
    mean = tf.layers.dense(hidden, code_size, name="mean")
    first, second = tf.unstack(tf.layers.dense(hidden, code_size, tf.nn.softplus, name="stddev") + 1e-6, axis=1)
    (skew,) = tf.unstack(tf.layers.dense(hidden, 1, name="skew"), axis=1)
    rows = [tf.stack([first, tf.zeros_like(first)], axis=1), tf.stack([skew, second], axis=1)]
    return tfd.MultivariateNormalTriL(mean, tf.stack(rows, axis=1))  # [N, 2] and [N, 2, 2]


def divergence_with_a_covariance() -> float:
    """Exercise 4: KL[Q(z|x) || P(z)] in nats; by hand, (0.5 + 2 - 2 - ln 0.04) / 2.

    The covariance is [[0.25, 0.15], [0.15, 0.25]], with the trace 0.5 and the determinant (0.5 * 0.4)^2 = 0.04.
    """
    with tf.Graph().as_default(), tf.Session() as session:
        posterior = tfd.MultivariateNormalTriL([1.0, -1.0], [[0.5, 0.0], [0.3, 0.4]])
        return float(session.run(tfd.kl_divergence(posterior, vae.make_prior())))


def bound_with_a_covariance(epochs: int = 5, seed: int = 0) -> float:
    """Exercise 4, further: the bound of the test images, in nats; the rest of vae.py stays as it is."""
    with tf.Graph().as_default(), tf.Session() as session:
        with mock.patch.object(vae, "make_encoder", make_encoder_with_covariance):  # as if the script were edited
            model = vae.build_graph(seed=seed)
        train(session, model.optimize, mnist.load("train"), epochs, model.images, seed=seed)
        return vae.evaluate(session, model, mnist.load("test").images)["elbo"]


if __name__ == "__main__":
    check.main(__file__)
