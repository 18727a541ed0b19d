"""Slides 7-8: the solutions to the notes' exercises.

    1. What is the divergence of a Q(z) with mean (1, -1) and stddev 0.1 from the prior?
    2. How many nats do a hundred gradient steps win, from the encoder's Q(z|x) on?
    3. How much more does an encoder that was trained on few images lose on test images than on those?

    python lectures/solutions/variational_inference.py

Half a minute on two cores. Each number is printed beside the answer that the notes give.
"""

import contextlib
from collections.abc import Iterator
from typing import NamedTuple

from lecture10_vae import vae, variational_inference
from lecture10_vae.tf1 import tf, tfd
from lecture10_vae.utils import command_line, mnist
from lectures.solutions.answers import compare
from lectures.solutions.training import train


def price_of_a_code() -> float:
    """Exercise 1: the divergence in nats; by hand, (1 + 0.1^2 - 1) / 2 - ln 0.1 for each of the two dimensions."""
    with tf.Graph().as_default(), tf.Session() as session:
        posterior = tfd.MultivariateNormalDiag([1.0, -1.0], [0.1, 0.1])
        return float(session.run(tfd.kl_divergence(posterior, vae.make_prior())))


@contextlib.contextmanager
def trained_vae(data: mnist.Dataset, epochs: int, seed: int) -> Iterator[tuple[tf.Session, vae.VAE]]:
    """The lecture's VAE, trained on the data."""
    with tf.Graph().as_default(), tf.Session() as session:
        graph = vae.build_graph(seed=seed)
        train(session, graph.optimize_batches, data, epochs, graph.pixels, seed=seed)
        yield session, graph


@contextlib.contextmanager
def every_image_its_own(vae_session: tf.Session, num_images: int) -> Iterator[tuple[tf.Session, NamedTuple]]:
    """Slide 7's graph with the decoder of a trained VAE, whose graph must be the default one at the call."""
    weights = vae_session.run(tf.trainable_variables("decoder"))
    with tf.Graph().as_default(), tf.Session() as session:
        graph = variational_inference.build_graph(num_images)
        for variable, value in zip(tf.trainable_variables("decoder"), weights, strict=True):
            variable.load(value, session)
        yield session, graph


def won_by_a_hundred_steps(epochs: int = 5, num_images: int = 500, seed: int = 0) -> float:
    """Exercise 2: the mean bound after a hundred steps from the encoder's Q(z|x), less the one before, in nats."""
    images = mnist.load("test").images[:num_images]
    with trained_vae(mnist.load("train"), epochs, seed) as (vae_session, vae_graph):
        encoded = vae_session.run([vae_graph.mean, vae_graph.stddev], {vae_graph.images: images})
        with every_image_its_own(vae_session, num_images) as (session, graph):
            bounds, _ = variational_inference.infer_images(session, graph, images, encoded, steps=100)
    return bounds[100] - bounds[0]


def more_lost_on_test_images(num_train: int = 1_000, epochs: int = 200, num_images: int = 100, seed: int = 0) -> float:
    """Exercise 3: the amortization gap on the first test images less that on the first training images, in nats."""
    data, test = mnist.load("train"), mnist.load("test")
    data = mnist.Dataset(data.pixels[:num_train], data.labels[:num_train])
    gaps = []
    with trained_vae(data, epochs, seed) as (vae_session, vae_graph):
        for images in (data.images[:num_images], test.images[:num_images]):
            with every_image_its_own(vae_session, num_images) as (session, graph):
                found = variational_inference.measure_gaps(session, graph, vae_session, vae_graph, images)
            gaps.append((found["per_image_elbo"] - found["encoder_elbo"]).mean())
    on_training_images, on_test_images = gaps
    return on_test_images - on_training_images


def main() -> None:
    """Prints what each exercise on slides 7-8 comes to, beside the answer in the notes."""
    compare("variational_inference", price_of_a_code, won_by_a_hundred_steps, more_lost_on_test_images)


if __name__ == "__main__":
    command_line.run(main)
