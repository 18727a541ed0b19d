"""The slides' code as printed, where it does not work, and what that costs.

The notes' part "On the slide, what breaks, mended" tells the reasons; tests/test_slide_errata.py shows each break.
Each function takes the parts to fix as arguments, so that one mistake can be looked at without the others.
"""

import functools
from pathlib import Path

import numpy as np

from lecture10_vae import bayesian_network, vae
from lecture10_vae.amortized_inference import load_vae
from lecture10_vae.beyond.experiments.over_seeds import mean_and_stddev
from lecture10_vae.studies.training import train
from lecture10_vae.tf1 import tf, tfd
from lecture10_vae.utils import mnist
from lectures.source.measure import SEEDS


def make_decoder(code, data_shape=(28, 28)):
    """Slide 25, whose layers have no names, so that each call makes new ones."""
    hidden = tf.layers.dense(code, 100, tf.nn.relu)
    logit = tf.layers.dense(hidden, np.prod(data_shape))
    logit = tf.reshape(logit, [-1, *data_shape])
    return tfd.Independent(tfd.Bernoulli(logit), 2)


def weights_first(weights, images):
    """Slide 28's product, which has no shape: [784, 10] x [N, 28, 28]."""
    return tf.matmul(weights, images)


def images_first(weights, images):
    """The product that slide 28 means."""
    return tf.matmul(tf.layers.flatten(images), weights)


def define_network(images, num_classes=10, product=weights_first, activation=tf.nn.relu):
    """Slides 27-28."""
    mean = tf.get_variable("mean", [28 * 28, num_classes])
    stddev = tf.get_variable("stddev", [28 * 28, num_classes])
    prior = tfd.MultivariateNormalDiag(tf.zeros_like(mean), tf.ones_like(stddev))
    posterior = tfd.MultivariateNormalDiag(mean, tf.nn.softplus(stddev))
    bias = tf.get_variable("bias", [num_classes])  # Or Bayesian, too
    logit = activation(product(posterior.sample(), images) + bias)
    return tfd.Categorical(logit), posterior, prior


def heavy_divergence(posterior, prior):
    """Slide 29: a mean over the 784 pixels, where slide 11 divides the sum by the number of images."""
    return tf.reduce_mean(tfd.kl_divergence(posterior, prior))


def train_bayesian_network(activation=tf.nn.relu, epochs=3, draws=20, seed=0) -> float:
    """Accuracy on MNIST's test images of slides 27-29 with the product fixed, averaged over draws of the weights."""
    data, test = mnist.load("train"), mnist.load("test")
    with tf.Graph().as_default(), tf.Session() as session:
        tf.set_random_seed(seed)
        images, label = tf.placeholder(tf.float32, [None, 28, 28]), tf.placeholder(tf.int32, [None])
        dist, posterior, prior = define_network(images, product=images_first, activation=activation)
        elbo = tf.reduce_mean(dist.log_prob(label)) - heavy_divergence(posterior, prior)
        optimize = tf.train.AdamOptimizer().minimize(-elbo)
        train(session, optimize, data, epochs, images, label, seed=seed)
        probability = dist.probs_parameter()
        answers = np.mean([session.run(probability, {images: test.images}) for _ in range(draws)], axis=0)
    return float(np.mean(answers.argmax(axis=1) == test.labels))


def train_mended_bayesian_network(epochs=3, draws=20, seed=0) -> float:
    """The same for the network as it should be, at the same batch size."""
    data, test = mnist.load("train"), mnist.load("test")
    with tf.Graph().as_default(), tf.Session() as session:
        model = bayesian_network.build_graph(seed=seed)
        train(session, model.optimize, data, epochs, model.images, model.label, seed=seed)
        answers = bayesian_network.predict(session, model, test.images, draws).mean(axis=0)
    return float(np.mean(answers.argmax(axis=1) == test.labels))


def bounds_by_pixels(run: Path, seed=0) -> dict[str, float]:
    """The trained VAE's bound on the same test images, in nats, by what their pixels are taken to be."""
    test = mnist.load("test")
    kinds = {
        "grey": test.images,
        "binarized_dynamically": mnist.binarize(test.pixels, seed),
        "binarized_at_one_half": (test.images > 0.5).astype(np.float32),
    }
    with tf.Graph().as_default(), tf.Session() as session:
        model = load_vae(session, run)
        return {kind: float(vae.evaluate(session, model, images)["elbo"]) for kind, images in kinds.items()}


def accuracies_over_seeds() -> dict[str, dict]:
    """Accuracies after three epochs, mean and stddev over seeds: as printed but for the product, and mended."""
    trained = {
        "as_printed": train_bayesian_network,
        "without_relu": functools.partial(train_bayesian_network, tf.identity),
        "mended": train_mended_bayesian_network,
    }
    return {name: mean_and_stddev([accuracy(seed=seed) for seed in SEEDS]) for name, accuracy in trained.items()}


def measure(run: Path) -> dict:
    """What the notes cite of all this; `run` is the folder of the lecture's trained VAE."""
    accuracies = accuracies_over_seeds()
    first = {name: of_seeds["values"][0] for name, of_seeds in accuracies.items()}
    return {
        "bayesian_network_accuracy": first["as_printed"],
        "bayesian_network_accuracy_without_relu": first["without_relu"],
        "bayesian_network_accuracy_mended": first["mended"],
        "over_seeds": accuracies,
        "vae_elbo_nats": bounds_by_pixels(run),
    }
