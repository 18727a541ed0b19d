"""What the notes' "Questions students ask" cite as evidence, measured."""

from unittest import mock

import numpy as np

from lecture10_vae import vae
from lecture10_vae.tf1 import tf, tfd
from lecture10_vae.utils import mnist
from lectures.solutions.training import train


def make_encoder_with_exp(images, code_size=2, hidden_size=100):
    """Slide 24's encoder, with exp in the place of softplus."""
    hidden = tf.layers.dense(tf.layers.flatten(images), hidden_size, tf.nn.relu)
    mean = tf.layers.dense(hidden, code_size)
    return tfd.MultivariateNormalDiag(mean, tf.layers.dense(hidden, code_size, tf.exp))


def with_exp(epochs=5) -> float:
    """The test bound in nats with exp; vae.py's history has softplus' after as many epochs."""
    with (
        mock.patch.object(vae, "make_encoder", make_encoder_with_exp),
        tf.Graph().as_default(),
        tf.Session() as session,
    ):
        graph = vae.build_graph()
        train(session, graph.optimize_batches, mnist.load("train"), epochs, graph.pixels)
        return float(session.run(graph.elbo, {graph.pixels: mnist.load("test").pixels}).mean())


def with_fifty_dimensions(epochs=5) -> dict[str, float]:
    """A VAE with a code of 50: its test bound and reconstruction in nats, and how many dimensions it uses."""
    with tf.Graph().as_default(), tf.Session() as session:
        graph = vae.build_graph(code_size=50)
        train(session, graph.optimize_batches, mnist.load("train"), epochs, graph.pixels)
        fetches = [graph.elbo, graph.reconstruction, graph.mean, graph.stddev]
        elbo, reconstruction, mean, stddev = session.run(fetches, {graph.pixels: mnist.load("test").pixels})
    kl = ((mean**2 + stddev**2 - 1) / 2 - np.log(stddev)).mean(axis=0)
    return {
        "elbo_nats": float(elbo.mean()),
        "reconstruction_nats": float(reconstruction.mean()),
        "dimensions_in_use": int((kl > 0.1).sum()),
        "largest_kl_of_the_others_nats": float(kl[kl <= 0.1].max(initial=0)),
    }


def with_the_mean_code(checkpoint: str) -> float:
    """What the trained VAE's bound on test images would be if the code were always the mean of Q(z|x), in nats."""
    with tf.Graph().as_default(), tf.Session() as session:
        graph = vae.build_graph()
        tf.train.Saver().restore(session, checkpoint)
        pixels = mnist.load("test").pixels
        mean = session.run(graph.mean, {graph.pixels: pixels})
        return float(session.run(graph.elbo, {graph.pixels: pixels, graph.code: mean}).mean())


def measure(checkpoint: str) -> dict:
    """What the notes cite of all this; `checkpoint` is the lecture's trained VAE."""
    return {
        "elbo_with_exp_nats": with_exp(),
        "with_fifty_dimensions": with_fifty_dimensions(),
        "elbo_with_the_mean_code_nats": with_the_mean_code(checkpoint),
    }
