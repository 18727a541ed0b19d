"""Slides 17-18, the solutions to the exercises.

1. What is the log probability of labels if all ten outputs are always 0.1?
2. What is it after three epochs, with the one stddev that suits the errors best in place of 1?
3. How accurate is a network with a learned stddev, but for the tenth of the images where that is largest?

python lectures/solutions/regression.py        # half a minute on two cores
"""

import numpy as np

from lecture10_vae import regression
from lecture10_vae.tf1 import tf, tfd
from lecture10_vae.utils import command_line, mnist
from lectures.solutions.answers import compare
from lectures.solutions.training import train


def log_prob_of_knowing_nothing() -> float:
    """Exercise 1: in nats; by hand, -(0.9^2 + 9 * 0.1^2) / 2 - 5 ln(2 pi)."""
    with tf.Graph().as_default(), tf.Session() as session:
        dist = tfd.MultivariateNormalDiag(tf.fill([10], 0.1), tf.ones(10))
        return session.run(dist.log_prob(tf.one_hot(mnist.load("test").labels, 10))).mean()


def log_prob_with_the_best_stddev(epochs: int = 3, seed: int = 0) -> float:
    """Exercise 2: of the test labels, in nats.

    The derivative of -error / (2 stddev^2) - 10 ln stddev is 0 where stddev^2 is a tenth of the squared error, the mean
    over the training images.
    """
    data, test = mnist.load("train"), mnist.load("test")
    with tf.Graph().as_default(), tf.Session() as session:
        graph = regression.build_graph(seed=seed)
        train(session, graph.optimize_batches, data, epochs, graph.pixels, graph.digit, seed=seed)
        error, test_error = (regression.evaluate(session, graph, part)["squared_error"] for part in (data, test))
    variance = error / 10
    return -test_error / (2 * variance) - 5 * np.log(2 * np.pi * variance)


def accuracy_without_the_doubtful(epochs: int = 5, seed: int = 0) -> float:
    """Exercise 3: in percent, of the nine tenths of the test images with the smallest total of log stddevs."""
    data, test = mnist.load("train"), mnist.load("test")
    with tf.Graph().as_default(), tf.Session() as session:
        graph = regression.build_graph(learn_stddev=True, seed=seed)
        train(session, graph.optimize_batches, data, epochs, graph.pixels, graph.digit, seed=seed)
        mean, stddev = session.run([graph.mean, graph.stddev], {graph.pixels: test.pixels})
    sure = np.argsort(np.log(stddev).sum(axis=1))[:9_000]
    return 100 * np.mean(mean.argmax(axis=1)[sure] == test.labels[sure])


def main() -> None:
    """Prints what each exercise on slides 17-18 comes to, beside the answer in the notes."""
    compare("regression", log_prob_of_knowing_nothing, log_prob_with_the_best_stddev, accuracy_without_the_doubtful)


if __name__ == "__main__":
    command_line.run(main)
