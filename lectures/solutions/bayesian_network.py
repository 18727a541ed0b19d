"""Slides 11 and 27-29: solutions to the exercises of lectures/exercises/bayesian_network.py.

    .venv/bin/python lectures/solutions/bayesian_network.py

Ten seconds on two cores, most of them for training.
"""

from types import SimpleNamespace

import numpy as np

from lecture10_vae import bayesian_network
from lecture10_vae.studies import pruning
from lecture10_vae.studies.training import train
from lecture10_vae.tf1 import tf, tfd
from lecture10_vae.utils import mnist
from lectures.exercises import check


def share_of_the_divergence(seed: int = 0) -> float:
    """Exercise 1: KL[Q(weights) || P(weights)] / 60,000, in nats.

    By hand, the 7,840 weights have stddev 0.0181 and means so small that they hardly count:
    7,840 * ((0.0181^2 - 1) / 2 - ln 0.0181) / 60,000 = 0.459.
    """
    with tf.Graph().as_default(), tf.Session() as session:
        model = bayesian_network.build_graph(seed=seed)
        session.run(tf.global_variables_initializer())
        return float(session.run(model.kl))


def weights_to_spare(epochs: int = 10, seed: int = 0, by_mean: bool = False) -> float:
    """Exercise 2: the percentage of the weights, those of the lowest |mean| / stddev, before the accuracy first falls.

    The accuracy is that of the validation images, the last 10,000 for training. With `by_mean`, lowest |mean| first.
    """
    data = mnist.load("train")
    known, (_, validation) = data.first(10_000), data.hold_out()
    with tf.Graph().as_default(), tf.Session() as session:
        model = bayesian_network.build_graph(len(known), learning_rate=0.005, seed=seed)
        train(session, model.optimize, known, epochs, model.images, model.label, seed=seed)
        _, _, bias = model.network.trainable_variables
        mean, stddev, bias = session.run([model.mean, model.stddev, bias])
    spared = np.arange(101)
    importance = np.abs(mean) if by_mean else np.abs(mean) / stddev
    kept = 1 - spared / 100
    accuracies = np.array(pruning.accuracies(mean, bias, importance, validation.images, validation.labels, kept))
    fallen = accuracies < accuracies[0] - 0.01
    return float(spared[np.argmax(fallen)] - 1)  # the first that is too many, less one


def train_with_prior(
    session: tf.Session, stddev: float, data: mnist.Dataset, epochs: int, seed: int
) -> tuple[SimpleNamespace, tf.Tensor]:
    """bayesian_network.py's model, trained with a prior of this stddev, and an image's share of its divergence."""
    model = bayesian_network.build_graph(len(data), seed=seed)
    prior = tfd.MultivariateNormalDiag(tf.zeros_like(model.mean), stddev * tf.ones_like(model.stddev))
    kl = tf.reduce_sum(tfd.kl_divergence(model.posterior, prior)) / len(data)
    optimize = tf.train.AdamOptimizer(0.005).minimize(kl - model.log_prob)
    train(session, optimize, data, epochs, model.images, model.label, seed=seed)
    return model, kl


def training_bound(
    session: tf.Session, model: SimpleNamespace, kl: tf.Tensor, data: mnist.Dataset, draws: int = 20
) -> float:
    """An image's share of the bound on the training labels, in nats, averaged over draws of the weights."""
    feed = {model.images: data.images, model.label: data.labels}
    log_probs = [session.run(model.log_prob, feed) for _ in range(draws)]
    return float(np.mean(log_probs) - session.run(kl))


def bound_with_a_better_prior(stddev: float = 0.3, epochs: int = 10, seed: int = 0) -> float:
    """Exercise 3: the bound on the training labels, an image's share, in nats; of the four stddevs 0.3 is best."""
    data = mnist.load("train").first(10_000)
    with tf.Graph().as_default(), tf.Session() as session:
        model, kl = train_with_prior(session, stddev, data, epochs, seed)
        return training_bound(session, model, kl, data)


if __name__ == "__main__":
    check.main(__file__)
