"""What the slides get wrong: each test builds the printed form and shows it break, and the mended form work."""

import numpy as np
import pytest

from lecture10_vae import bayesian_network
from lecture10_vae.tf1 import set_random_seed, tf, tfd
from lecture10_vae.utils import mnist


def multiply_as_printed(weights, images):
    return tf.matmul(weights, images)


def multiply(weights, images):
    return tf.matmul(tf.layers.flatten(images), weights)


def define_network_as_printed(images, num_classes=10, product=multiply_as_printed, activation=tf.nn.relu):
    """Slides 27-28 word for word, unless a mended product or activation is given."""
    mean = tf.get_variable("mean", [28 * 28, num_classes])
    stddev = tf.get_variable("stddev", [28 * 28, num_classes])
    prior = tfd.MultivariateNormalDiag(tf.zeros_like(mean), tf.ones_like(stddev))
    posterior = tfd.MultivariateNormalDiag(mean, tf.nn.softplus(stddev))
    bias = tf.get_variable("bias", [num_classes])
    logit = activation(product(posterior.sample(), images) + bias)
    return tfd.Categorical(logit), posterior, prior


@pytest.fixture
def graph_and_images():
    with tf.Graph().as_default():
        set_random_seed(0)
        yield tf.placeholder(tf.float32, [None, 28, 28], "images")


def test_slide_28_product_has_no_shape(graph_and_images):
    images = graph_and_images
    with pytest.raises(ValueError, match="Dimensions must be equal"), tf.variable_scope("printed"):
        define_network_as_printed(images)
    with pytest.raises(ValueError, match="Dimensions must be equal"), tf.variable_scope("flat"):  # weights first
        define_network_as_printed(tf.layers.flatten(images))
    dist, _, _ = bayesian_network.define_network(images)
    assert dist.logits.shape.as_list() == [None, 10]


@pytest.mark.parametrize("printed", [True, False])
def test_slide_28_relu_learns_nothing_from_ten_negative_logits(graph_and_images, small_mnist, printed):
    images = graph_and_images
    if printed:
        dist, posterior, _ = define_network_as_printed(images, product=multiply)
    else:
        dist, posterior, _ = bayesian_network.define_network(images)
    mean, stddev, bias = tf.trainable_variables()
    log_prob = dist.log_prob([3])
    gradients = tf.gradients(log_prob, [mean, stddev, bias])
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        # Every logit is at least 15 stddevs below zero, and all differ.
        bias.load(np.linspace(-300, -200, 10), session)
        one_image = {images: small_mnist["test"].images[:1]}
        found, answer = session.run([gradients, log_prob], one_image)
        largest = [np.abs(gradient).max() for gradient in found]
        spread = session.run(tf.norm(posterior.stddev() * tf.transpose(tf.layers.flatten(images)), axis=0), one_image)
        assert spread.max() < 200 / 15
    if printed:
        assert largest == [0, 0, 0]
        assert answer == pytest.approx(-np.log(10))
    else:
        assert min(largest) > 0
        assert answer < -10


def test_slide_29_divergence_is_a_784th_where_a_60000th_belongs(graph_and_images):
    images = graph_and_images
    _, posterior, prior = define_network_as_printed(images, product=multiply)
    divergence = tfd.kl_divergence(posterior, prior)
    assert divergence.shape == [784]  # one for each pixel, of its ten weights: the mean divides by the pixels
    printed = tf.reduce_mean(divergence)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        too_heavy, whole = session.run([printed, tf.reduce_sum(divergence)])
    assert too_heavy / (whole / 60_000) == pytest.approx(60_000 / 784, rel=1e-4)

    with tf.Graph().as_default(), tf.Session() as session:
        graph = bayesian_network.build_graph()
        session.run(tf.global_variables_initializer())
        mean, stddev, kl = session.run([graph.mean, graph.stddev, graph.kl])
        printed = (0.5 * (mean**2 + stddev**2 - 1) - np.log(stddev)).sum(axis=1).mean()
        assert printed / kl == pytest.approx(76.53, abs=0.01)


def test_slide_27_default_stddev_swamps_the_logits(graph_and_images, small_mnist):
    images = graph_and_images
    _, posterior, _ = define_network_as_printed(images, product=multiply)
    with tf.variable_scope("mended"):
        _, mended, _ = bayesian_network.define_network(images)
    pixels = small_mnist["test"].images.reshape(-1, 784)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        large, small = session.run([posterior.stddev(), mended.stddev()])
    assert large.mean() == pytest.approx(0.69, abs=0.005)
    assert small == pytest.approx(0.018, abs=0.0005)
    # The stddev over draws of a logit, where a trained layer's are a few nats apart.
    assert np.sqrt(pixels**2 @ large**2).mean() > 5
    assert np.sqrt(pixels**2 @ small**2).mean() < 0.5


@pytest.mark.parametrize(
    ("activation", "least", "most"),
    [(tf.nn.relu, 0.2, 0.45), (tf.identity, 0.8, 0.88)],
    ids=["as printed but for the product", "without the relu"],
)
def test_slides_27_to_29_train_badly(graph_and_images, activation, least, most):
    images = graph_and_images
    train, test = mnist.load("train"), mnist.load("test")
    label = tf.placeholder(tf.int32, [None])
    dist, posterior, prior = define_network_as_printed(images, product=multiply, activation=activation)
    elbo = tf.reduce_mean(dist.log_prob(label)) - tf.reduce_mean(tfd.kl_divergence(posterior, prior))
    optimize = tf.train.AdamOptimizer().minimize(-elbo)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        for epoch in range(3):
            for batch in mnist.batches(train, 100, seed=epoch):
                session.run(optimize, {images: batch.images, label: batch.labels})
        probability = np.mean([session.run(dist.probs_parameter(), {images: test.images}) for _ in range(20)], axis=0)
    # The mended form has 0.915 by then.
    assert least < np.mean(probability.argmax(axis=1) == test.labels) < most
