"""Slides 7-8: solutions to the exercises of lectures/exercises/variational_inference.py.

    .venv/bin/python lectures/solutions/variational_inference.py

Ten seconds on two cores, most of them for training.
"""

import contextlib
import functools
from collections.abc import Iterator
from types import SimpleNamespace

from lecture10_vae import vae, variational_inference
from lecture10_vae.studies import gaps
from lecture10_vae.studies.gaussians import Gaussian
from lecture10_vae.studies.training import train
from lecture10_vae.tf1 import tf, tfd
from lecture10_vae.utils import mnist
from lectures.exercises import check


def price_of_a_code() -> float:
    """Exercise 1: the divergence in nats; by hand, (1 + 0.1^2 - 1) / 2 - ln 0.1 for each of the two dimensions."""
    with tf.Graph().as_default(), tf.Session() as session:
        posterior = tfd.MultivariateNormalDiag([1.0, -1.0], [0.1, 0.1])
        return float(session.run(tfd.kl_divergence(posterior, vae.make_prior())))


@contextlib.contextmanager
def trained_vae(data: mnist.Dataset, epochs: int, seed: int) -> Iterator[tuple[tf.Session, SimpleNamespace]]:
    """A session with the lecture's VAE, trained on the data."""
    with tf.Graph().as_default(), tf.Session() as session:
        model = vae.build_graph(seed=seed)
        train(session, model.optimize, data, epochs, model.images, seed=seed)
        yield session, model


@functools.cache
def won(num_train: int = 1_000, epochs: int = 100, num_images: int = 100, seed: int = 0) -> dict[str, float]:
    """The mean bound after a hundred steps from the encoder's Q(z|x), less the one before, in nats.

    Of the first test and training images: for both exercises, trained once.
    """
    data = mnist.load("train").first(num_train)
    gained = {}
    with trained_vae(data, epochs, seed) as (session, model):
        each_image = variational_inference.build_graph(num_images, decoder=model.decoder)
        for name, part in (("test", mnist.load("test")), ("train", data)):
            images = part.images[:num_images]
            encoder = Gaussian(*session.run([model.mean, model.stddev], {model.images: images}))
            elbo_by_step, _ = gaps.infer_images(session, each_image, each_image.infer, images, encoder, steps=100)
            gained[name] = elbo_by_step[100] - elbo_by_step[0]
    return gained


def won_by_a_hundred_steps(seed: int = 0) -> float:
    """Exercise 2: on the first 100 test images."""
    return won(seed=seed)["test"]


def more_lost_on_test_images(seed: int = 0) -> float:
    """Exercise 3: what the steps win on test images, the encoder has lost there; less the same on training images."""
    return won(seed=seed)["test"] - won(seed=seed)["train"]


if __name__ == "__main__":
    check.main(__file__)
