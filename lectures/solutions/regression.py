"""Slides 17-18: solutions to the exercises of lectures/exercises/regression.py.

    .venv/bin/python lectures/solutions/regression.py

Ten seconds on two cores, most of them for training.
"""

import numpy as np

from lecture10_vae import regression
from lecture10_vae.studies.training import train
from lecture10_vae.tf1 import tf, tfd
from lecture10_vae.utils import mnist
from lectures.exercises import check


def log_prob_of_knowing_nothing() -> float:
    """Exercise 1: in nats; by hand, -(0.9^2 + 9 * 0.1^2) / 2 - 5 ln(2 pi)."""
    with tf.Graph().as_default(), tf.Session() as session:
        dist = tfd.MultivariateNormalDiag(tf.fill([10], 0.1), tf.ones(10))
        return session.run(dist.log_prob(tf.one_hot(mnist.load("test").labels, 10))).mean()


def log_prob_with_the_best_stddev(epochs: int = 1, seed: int = 0) -> float:
    """Exercise 2: of the test labels, in nats.

    The derivative of -error / (2 stddev^2) - 10 ln stddev is 0 where stddev^2 is a tenth of the squared error, the mean
    over the training images.
    """
    data, test = mnist.load("train"), mnist.load("test")
    with tf.Graph().as_default(), tf.Session() as session:
        model = regression.build_graph(seed=seed)
        train(session, model.optimize, data, epochs, model.images, model.digit, seed=seed)
        numbers = (regression.evaluate(session, model, part.images, part.labels) for part in (data, test))
        error, test_error = (number["squared_error"] for number in numbers)
    variance = error / 10
    return -test_error / (2 * variance) - 5 * np.log(2 * np.pi * variance)


def accuracy_with_a_low_floor(floor: float = 0.05, epochs: int = 2, seed: int = 0) -> float:
    """Exercise 3: of the test images, in percent."""
    data, test = mnist.load("train"), mnist.load("test")
    with tf.Graph().as_default(), tf.Session() as session:
        model = regression.build_graph(learn_stddev=True, seed=seed, least_stddev=floor)
        train(session, model.optimize, data, epochs, model.images, model.digit, seed=seed)
        return 100 * regression.evaluate(session, model, test.images, test.labels)["accuracy"]


if __name__ == "__main__":
    check.main(__file__)
