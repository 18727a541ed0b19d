"""Slides 9-10 and 22-26: the solutions to the notes' exercises.

    1. What is the bound of a decoder that ignores the code, and gives each pixel its mean?
    2. What bound does the VAE reach if the reconstruction is averaged over the pixels, not summed?
    3. How often does the training image with the nearest code show the same digit, with 20 dimensions?

    python lectures/solutions/vae.py

20 seconds on two cores. Each number is printed beside the answer that the notes give.
"""

import numpy as np
from scipy.spatial import KDTree

from lecture10_vae import vae
from lecture10_vae.tf1 import tf
from lecture10_vae.utils import command_line, mnist
from lectures.solutions.answers import compare
from lectures.solutions.training import train


def bound_without_a_code() -> float:
    """Exercise 1: ln P(x) of the test images, grey, in nats; there is no code, so that the KL is 0."""
    images, test = mnist.load("train").images, mnist.load("test").images
    mean = (images.sum(axis=0, dtype=np.float64) + 1) / (len(images) + 2)  # with one white and one black image more
    log_prob = test * np.log(mean) + (1 - test) * np.log(1 - mean)
    return log_prob.sum(axis=(1, 2)).mean()


def bound_when_averaged_over_pixels(epochs: int = 2, seed: int = 0) -> float:
    """Exercise 2: the bound of the test images, with the sum where it belongs, in nats."""
    with tf.Graph().as_default(), tf.Session() as session:
        graph = vae.build_graph(seed=seed)
        averaged = graph.reconstruction / (28 * 28) - graph.kl
        optimize = tf.train.AdamOptimizer().minimize(-tf.reduce_mean(averaged), tf.train.get_global_step())
        train(session, optimize, mnist.load("train"), epochs, graph.pixels, together=1, seed=seed)
        figures, _ = vae.evaluate(session, graph, mnist.load("test").pixels)
    return figures["elbo"]


def alike_by_code(code_size: int = 20, epochs: int = 5, seed: int = 0) -> float:
    """Exercise 3: in percent of the first 1,000 test images, with the first 10,000 training images to compare."""
    data, test = mnist.load("train"), mnist.load("test")
    with tf.Graph().as_default(), tf.Session() as session:
        graph = vae.build_graph(code_size, seed=seed)
        train(session, graph.optimize_batches, data, epochs, graph.pixels, seed=seed)
        codes, test_codes = (
            session.run(graph.mean, {graph.pixels: pixels}) for pixels in (data.pixels[:10_000], test.pixels[:1_000])
        )
    _, nearest = KDTree(codes).query(test_codes)
    return 100 * np.mean(data.labels[nearest] == test.labels[:1_000])


def main() -> None:
    """Prints what each exercise on slides 9-10 and 22-26 comes to, beside the answer in the notes."""
    compare("vae", bound_without_a_code, bound_when_averaged_over_pixels, alike_by_code)


if __name__ == "__main__":
    command_line.run(main)
