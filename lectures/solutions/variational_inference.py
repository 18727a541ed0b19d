"""Slides 7-8: solutions to the exercises of lectures/exercises/variational_inference.py.

    python lectures/solutions/variational_inference.py

Half a minute on two cores. Each number is printed beside the answer that the notes give.
"""

import contextlib
from collections.abc import Iterator
from types import SimpleNamespace

from lecture10_vae import vae, variational_inference
from lecture10_vae.each_batch import each_batch
from lecture10_vae.studies import gaps
from lecture10_vae.studies.gaussians import Gaussian
from lecture10_vae.studies.training import train
from lecture10_vae.tf1 import tf, tfd
from lecture10_vae.utils import command_line, mnist
from lectures.solutions.answers import compare


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


def won_by_a_hundred_steps(epochs: int = 5, num_images: int = 500, seed: int = 0) -> float:
    """Exercise 2: the mean bound after a hundred steps from the encoder's Q(z|x), less the one before, in nats."""
    images = mnist.load("test").images[:num_images]
    with trained_vae(mnist.load("train"), epochs, seed) as (session, model):
        encoder = Gaussian(*session.run([model.mean, model.stddev], {model.images: images}))
        each_image = variational_inference.build_graph(num_images, decoder=model.decoder)
        infer = each_batch(each_image.infer, num_images, [each_image.images, each_image.index])
        elbo_by_step, _ = gaps.infer_images(session, each_image, infer, images, encoder, steps=100)
    return elbo_by_step[100] - elbo_by_step[0]


def more_lost_on_test_images(num_train: int = 1_000, epochs: int = 200, num_images: int = 100, seed: int = 0) -> float:
    """Exercise 3: the amortization gap on the first test images less that on the first training images, in nats."""
    data, test = mnist.load("train").first(num_train), mnist.load("test")
    with trained_vae(data, epochs, seed) as (session, model):
        each_image = variational_inference.build_graph(num_images, decoder=model.decoder)
        infer = each_batch(each_image.infer, num_images, [each_image.images, each_image.index])
        trained, new = (
            gaps.measure(session, model, each_image, infer, part.first(num_images).images) for part in (data, test)
        )
    return (new.per_image_elbo - new.encoder_elbo).mean() - (trained.per_image_elbo - trained.encoder_elbo).mean()


if __name__ == "__main__":
    command_line.run(lambda: compare("variational_inference", globals()))
