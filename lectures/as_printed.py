"""The slides' code as printed, where it does not work, and what that costs.

The notes' part "On the slide, what breaks, mended" tells the reasons; tests/test_slide_errata.py shows each break.
Each function takes the parts to mend as arguments, so that one mistake can be looked at without the others.
"""

import numpy as np

from lecture10_vae import bayesian_network, vae
from lecture10_vae.tf1 import set_random_seed, tf, tfd
from lecture10_vae.utils import mnist
from lectures.solutions.training import train


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


def train_bayesian_network(activation=tf.nn.relu, epochs=3, draws=20) -> float:
    """Accuracy on MNIST's test images of slides 27-29 with the product mended, averaged over draws of the weights."""
    train, test = mnist.load("train"), mnist.load("test")
    with tf.Graph().as_default(), tf.Session() as session:
        set_random_seed(0)
        images, label = tf.placeholder(tf.float32, [None, 28, 28]), tf.placeholder(tf.int32, [None])
        dist, posterior, prior = define_network(images, product=images_first, activation=activation)
        elbo = tf.reduce_mean(dist.log_prob(label)) - heavy_divergence(posterior, prior)
        optimize = tf.train.AdamOptimizer().minimize(-elbo)
        session.run(tf.global_variables_initializer())
        for epoch in range(epochs):
            for batch in mnist.batches(train, 100, seed=epoch):
                session.run(optimize, {images: batch.images, label: batch.labels})
        probability = np.mean(
            [session.run(dist.probs_parameter(), {images: test.images}) for _ in range(draws)], axis=0
        )
    return float(np.mean(probability.argmax(axis=1) == test.labels))


def train_mended_bayesian_network(epochs=3, draws=20) -> float:
    """The same for the mended network, at the same batch size."""
    with tf.Graph().as_default(), tf.Session() as session:
        graph = bayesian_network.build_graph(batch_size=100)
        train(session, graph.optimize_batches, mnist.load("train"), epochs, graph.pixels, graph.label)
        test = mnist.load("test")
        probability = bayesian_network.make_predictors(session, graph, draws)["bayesian"](test.images).mean(axis=0)
    return float(np.mean(probability.argmax(axis=1) == test.labels))


def bounds_by_pixels(checkpoint: str, seed=0) -> dict[str, float]:
    """The trained VAE's bound on the same test images, in nats, by what their pixels are taken to be."""
    test = mnist.load("test").images
    pixels = {
        "grey": test,
        "binarized_dynamically": (np.random.default_rng(seed).random(test.shape) < test).astype(np.float32),
        "binarized_at_one_half": (test > 0.5).astype(np.float32),
    }
    with tf.Graph().as_default(), tf.Session() as session:
        graph = vae.build_graph()
        tf.train.Saver().restore(session, checkpoint)
        return {name: float(session.run(graph.elbo, {graph.images: images}).mean()) for name, images in pixels.items()}


def measure(checkpoint: str) -> dict:
    """What the notes cite of all this; `checkpoint` is the lecture's trained VAE."""
    return {
        "bayesian_network_accuracy": train_bayesian_network(),
        "bayesian_network_accuracy_without_relu": train_bayesian_network(activation=tf.identity),
        "bayesian_network_accuracy_mended": train_mended_bayesian_network(),
        "vae_elbo_nats": bounds_by_pixels(checkpoint),
    }
