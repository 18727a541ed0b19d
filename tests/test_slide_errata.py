"""What the slides get wrong: each test runs the slide's own code and shows it break, and the mended form work."""

import os
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import log_softmax

from lecture10_vae import bayesian_network, vae
from lecture10_vae.tf1 import tf, tfd
from lectures.source import as_printed, slides
from lectures.source.as_printed import CLOSED, IMAGES_FIRST, NO_CONTRIB, NO_RELU, run


@pytest.fixture
def images(session):
    tf.set_random_seed(0)
    return tf.placeholder(tf.float32, [None, 28, 28], "images")


def test_slide_28_product_has_no_shape(images):
    define_network = run(("27-28",))["define_network"]
    with pytest.raises(ValueError, match="Dimensions must be equal"), tf.variable_scope("printed"):
        define_network(images)
    with pytest.raises(ValueError, match="Dimensions must be equal"), tf.variable_scope("flat"):  # weights first
        define_network(tf.layers.flatten(images))
    dist, _, _ = bayesian_network.define_network(images)
    assert dist.logits.shape.as_list() == [None, 10]


@pytest.mark.parametrize("printed", [True, False])
def test_slide_28_relu_learns_nothing_from_ten_negative_logits(session, images, small_mnist, printed):
    if printed:
        dist, posterior, _ = run(("27-28",), IMAGES_FIRST)["define_network"](images)
    else:
        dist, posterior, _ = bayesian_network.define_network(images)
    mean, stddev, bias = tf.trainable_variables()
    log_prob = dist.log_prob([3])
    gradients = tf.gradients(log_prob, [mean, stddev, bias])
    session.run(tf.global_variables_initializer())
    # Every logit is at least 15 stddevs below zero, and all differ.
    bias.load(np.linspace(-300, -200, 10), session)
    one_image = {images: small_mnist["test"].images[:1]}
    gradients, answer = session.run([gradients, log_prob], one_image)
    largest = [np.abs(gradient).max() for gradient in gradients]
    spread = session.run(tf.norm(posterior.stddev() * tf.transpose(tf.layers.flatten(images)), axis=0), one_image)
    assert spread.max() < 200 / 15
    if printed:
        assert largest == [0, 0, 0]
        assert answer == pytest.approx(-np.log(10))
    else:
        assert min(largest) > 0
        assert answer < -10


def test_slide_29_divergence_is_a_784th_where_a_60000th_belongs(session, images):
    label = tf.placeholder(tf.int32, [None])
    made = run(("27-28", "29"), IMAGES_FIRST, CLOSED, images=images, label=label)
    kl = tfd.kl_divergence(made["posterior"], made["prior"])
    assert kl.shape == [784]  # one for each pixel, of its ten weights: the mean divides by the pixels
    printed = tf.reduce_mean(made["dist"].log_prob(label)) - made["elbo"]  # what slide 29 takes off
    share = tf.reduce_sum(kl) / 60_000  # slide 11
    session.run(tf.global_variables_initializer())
    feed = {images: np.zeros([1, 28, 28]), label: [0]}  # with no ink the weights' noise has no part in log_prob
    assert session.run(printed / share, feed) == pytest.approx(76.53, abs=0.01)


def test_slide_27_default_stddev_swamps_the_logits(session, images, small_mnist):
    _, posterior, _ = run(("27-28",), IMAGES_FIRST)["define_network"](images)
    with tf.variable_scope("mended"):
        _, mended, _ = bayesian_network.define_network(images)
    pixels = small_mnist["test"].images.reshape(-1, 784)
    session.run(tf.global_variables_initializer())
    large, small = session.run([posterior.stddev(), mended.stddev()])
    assert large.mean() == pytest.approx(0.69, abs=0.005)
    assert small == pytest.approx(0.018, abs=0.0005)
    # The stddev over draws of a logit, where a trained layer's are a few nats apart.
    assert np.sqrt(pixels**2 @ large**2).mean() > 5
    assert np.sqrt(pixels**2 @ small**2).mean() < 0.5


@pytest.mark.parametrize(
    ("train", "least", "most"),
    [
        (as_printed.train_bayesian_network, 0.2, 0.45),
        (lambda: as_printed.train_bayesian_network(NO_RELU), 0.8, 0.88),
        (as_printed.train_mended_bayesian_network, 0.905, 1),
    ],
    ids=["as printed but for the product", "without the relu", "mended"],
)
def test_slides_27_to_29_train_badly_and_well_once_mended(train, least, most):
    assert least < train() < most


@pytest.mark.parametrize("printed", [True, False])
def test_slide_23_second_decoder_never_learns(session, printed):
    names = SimpleNamespace(**run(("24", "25", "22-23"), NO_CONTRIB)) if printed else vae.build_graph()
    variables = tf.trainable_variables()
    assert len(variables) == (14 if printed else 10)  # six of the encoder, and four of each decoder
    decoder, second = variables[6:10], variables[10:]
    assert tf.gradients(names.elbo, second) == [None] * len(second)
    # Do the samples depend on the decoder that learns?
    depend = [gradient is not None for gradient in tf.gradients(names.samples, decoder)]
    assert depend == [not printed] * 4


def test_slides_18_20_23_vector_loss_sums_gradients(session, images, small_mnist):
    label = tf.placeholder(tf.int32, [None])
    loss = run(("19-20",), NO_CONTRIB, inputs=tf.layers.flatten(images), label=label)["loss"]
    variables = tf.trainable_variables()
    session.run(tf.global_variables_initializer())
    feed = {images: small_mnist["test"].images[:50], label: small_mnist["test"].labels[:50]}
    printed, mended = session.run([tf.gradients(loss, variables), tf.gradients(tf.reduce_mean(loss), variables)], feed)
    for one, other in zip(printed, mended, strict=True):
        np.testing.assert_allclose(one, 50 * other, rtol=1e-4, atol=1e-5)
    with pytest.raises(tf.errors.InvalidArgumentError, match="tags and values are not the same shape"):
        session.run(tf.summary.scalar("loss", loss), feed)
    session.run(tf.summary.scalar("mean_loss", tf.reduce_mean(loss)), feed)


def test_slide_18_loss_is_half_the_squared_error_and_a_constant(session, images, small_mnist):
    label = np.eye(10, dtype=np.float32)[small_mnist["test"].labels]
    made = run(("17-18",), NO_CONTRIB, inputs=tf.layers.flatten(images), label=label)
    session.run(tf.global_variables_initializer())
    loss, mean = session.run([made["loss"], made["mean"]], {images: small_mnist["test"].images})
    squared_error = ((label - mean) ** 2).sum(axis=1)
    np.testing.assert_allclose(loss, squared_error / 2 + 5 * np.log(2 * np.pi), rtol=1e-5)
    assert np.abs(loss - squared_error).min() > 1


def test_one_hot_labels_pass_at_batch_size_ten(session, images, small_mnist):
    one_hot = tf.placeholder(tf.int32, [None, 10])
    made = run(("19-20",), NO_CONTRIB, inputs=tf.layers.flatten(images), label=one_hot)
    log_prob, dist = -made["loss"], made["dist"]
    session.run(tf.global_variables_initializer())
    test = small_mnist["test"].first(20)
    label = np.eye(10, dtype=int)[test.labels]
    score = session.run(log_prob, {images: test.images[:10], one_hot: label[:10]})
    assert score.shape == (10, 10)  # not [10], and not a word
    with pytest.raises(tf.errors.InvalidArgumentError):
        session.run(log_prob, {images: test.images, one_hot: label})
    logit = session.run(dist.logits, {images: test.images[:10]})
    # Each 0 or 1 of the vectors is taken for the digit 0 or 1 of the image whose number its column has.
    np.testing.assert_allclose(score, log_softmax(logit, axis=1)[np.arange(10), label[:10]], rtol=1e-4)


def test_slides_19_and_25_take_probabilities_for_logits(session):
    probability = np.array([0.7, 0.2, 0.1], np.float32)
    as_meant, as_taken = session.run(
        [tfd.Categorical(probs=probability).probs_parameter(), tfd.Categorical(probability).probs_parameter()]
    )
    np.testing.assert_allclose(as_meant, probability, rtol=1e-5)
    np.testing.assert_allclose(as_taken, np.exp(probability) / np.exp(probability).sum(), rtol=1e-5)
    assert session.run(tfd.Bernoulli(0.7).mean()) == pytest.approx(1 / (1 + np.exp(-0.7)))


def test_slide_25_bernoulli_is_no_density_of_grey_pixels(session):
    grey = tf.placeholder(tf.float64, [])
    log_prob = tfd.Bernoulli(logits=tf.constant(1.3, tf.float64), dtype=tf.float64).log_prob(grey)

    def density(pixel):
        return np.exp(session.run(log_prob, {grey: pixel}))

    assert density(0) + density(1) == pytest.approx(1)  # what a Bernoulli promises
    mass, _ = quad(density, 0, 1)
    probability = 1 / (1 + np.exp(-1.3))
    assert mass == pytest.approx((2 * probability - 1) / (np.log(probability) - np.log(1 - probability)))
    assert mass < 0.6


def test_slide_24_softplus_reaches_zero_and_the_divergence_infinity(session):
    stddev = tf.nn.softplus(tf.constant([-200.0, 0.0]))
    printed, mended = (tfd.MultivariateNormalDiag(tf.zeros([2]), scale) for scale in (stddev, stddev + 1e-6))
    assert session.run(stddev)[0] == 0
    assert session.run(tfd.kl_divergence(printed, vae.make_prior())) == np.inf
    scale = np.array([1e-6, np.log(2) + 1e-6])
    by_hand = ((scale**2 - 1) / 2 - np.log(scale)).sum()
    assert session.run(tfd.kl_divergence(mended, vae.make_prior())) == pytest.approx(by_hand, rel=1e-5)
    far_off = vae.make_encoder(tf.fill([1, 28, 28], 1e6))
    with tf.variable_scope("printed"):
        slide = run(("24",))
        posterior = slide["make_encoder"](tf.zeros([1, 28, 28]))
    session.run(tf.global_variables_initializer())
    assert np.isfinite(session.run(tfd.kl_divergence(far_off, vae.make_prior()))).all()
    tf.trainable_variables()[-1].load([-200, -200], session)  # the bias of the slide's stddev head
    kl = tfd.kl_divergence(posterior, slide["make_prior"]())
    assert session.run(kl) == np.inf
    hidden = tf.trainable_variables()[-6]  # the slide's first layer
    assert np.isnan(session.run(tf.gradients(kl, hidden)[0])).any()


def test_slide_29_lacks_a_parenthesis_and_slide_25_an_import(session):
    with pytest.raises(SyntaxError, match="was never closed"):
        compile(slides.code("29"), "slide 29", "exec")
    compile(slides.code("29").replace(*CLOSED), "slide 29", "exec")
    made = run(("25",))
    code = tf.zeros([3, 2])
    assert made["make_decoder"](code).event_shape == [28, 28]  # [-1] + data_shape takes the slide's list
    del made["np"]
    with pytest.raises(NameError, match="'np' is not defined"):
        made["make_decoder"](code)


def test_contrib_is_gone_and_layers_need_the_legacy_keras():
    with pytest.raises(AttributeError, match="contrib"):
        run(("13-16",))
    use_layers = "import tensorflow.compat.v1 as tf; tf.disable_v2_behavior(); tf.layers.dense(tf.zeros([1, 2]), 3)"
    environment = {**os.environ, "TF_USE_LEGACY_KERAS": "0"}  # as everywhere where it is not set
    command = [sys.executable, "-c", use_layers]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.stderr.endswith("`dense` is not available with Keras 3.\n")
