"""Slides 17-18: a Gaussian's negative log probability is the squared error, in value and gradient."""

import json

import numpy as np
import pytest
from scipy.stats import norm

from lecture10_vae import regression
from lecture10_vae.tf1 import tf
from lecture10_vae.utils import mnist


@pytest.fixture
def built(small_mnist):
    with tf.Graph().as_default(), tf.Session() as session:
        graph = regression.build_graph()
        session.run(tf.global_variables_initializer())
        pixels, digits = small_mnist["test"]
        yield session, graph, {graph.pixels: pixels, graph.digit: digits}


def test_loss_is_half_the_squared_error_and_a_constant(built, small_mnist):
    session, graph, feed = built
    mean, loss, squared_error = session.run([graph.mean, graph.loss, graph.squared_error], feed)
    by_hand = ((np.eye(10)[small_mnist["test"].labels] - mean) ** 2).sum(axis=1)
    np.testing.assert_allclose(squared_error, by_hand, rtol=1e-5)
    assert loss == pytest.approx(by_hand.mean() / 2 + 5 * np.log(2 * np.pi), rel=1e-6)


def test_gradients_are_those_of_half_the_squared_error(built):
    session, graph, feed = built
    variables = tf.trainable_variables()
    plain = tf.reduce_mean(tf.reduce_sum((tf.one_hot(graph.digit, 10) - graph.mean) ** 2, axis=1)) / 2
    found, expected = session.run([tf.gradients(graph.loss, variables), tf.gradients(plain, variables)], feed)
    for one, other in zip(found, expected, strict=True):
        assert np.abs(other).max() > 0
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


def test_network_is_slide_18s(built, small_mnist):
    session, graph, feed = built
    weights = {variable.op.name: session.run(variable) for variable in tf.trainable_variables()}
    assert [value.shape for value in weights.values()] == [(784, 100), (100,), (100, 10), (10,)]
    first, first_bias, second, second_bias = weights.values()
    hidden = np.maximum(small_mnist["test"].images.reshape(-1, 784) @ first + first_bias, 0)
    mean, stddev = session.run([graph.mean, graph.stddev], feed)
    np.testing.assert_allclose(mean, hidden @ second + second_bias, atol=1e-4)
    assert (stddev == 1).all()


def test_learned_stddev_is_scored_by_the_gaussian_density(small_mnist):
    pixels, digits = small_mnist["test"]
    with tf.Graph().as_default(), tf.Session() as session:
        graph = regression.build_graph(learn_stddev=True)
        session.run(tf.global_variables_initializer())
        feed = {graph.pixels: pixels, graph.digit: digits}
        mean, stddev, log_prob = session.run([graph.mean, graph.stddev, graph.log_prob], feed)
    assert stddev.min() > 0.2
    np.testing.assert_allclose(log_prob, norm.logpdf(np.eye(10)[digits], mean, stddev).sum(axis=1), rtol=1e-4)


def test_learned_stddev_has_the_higher_log_probability(on_small_mnist, tmp_path):
    fixed = regression.main(epochs=3, logdir=tmp_path / "fixed")
    learned = regression.main(epochs=3, learn_stddev=True, logdir=tmp_path / "learned")
    assert fixed == json.loads((tmp_path / "fixed" / "results.json").read_text())
    # With stddev 1, no fit whatever has a higher log probability than -5 ln(2 pi).
    assert fixed["test_log_prob_nats"] < -5 * np.log(2 * np.pi) < learned["test_log_prob_nats"] - 3
    assert fixed["test_log_prob_nats"] == pytest.approx(
        -fixed["test_squared_error"] / 2 - 5 * np.log(2 * np.pi), abs=1e-4
    )
    assert fixed["test_accuracy"] > 0.7
    assert (tmp_path / "fixed" / "figures" / "outputs.png").stat().st_size > 20_000


def test_defaults_reach_the_lectures_accuracy(tmp_path):
    results = regression.main(logdir=tmp_path)
    assert results["test_accuracy"] >= 0.975


def test_training_moves_each_image_by_a_pixel_at_most(small_mnist):
    dataset = small_mnist["test"]
    (plain,), (moved,) = (list(mnist.batches(dataset, 1_000, [0, 1], shift=shift)) for shift in (0, 1))
    assert plain.labels.tolist() == moved.labels.tolist()
    shifts = [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1)]
    fits = np.array([(moved.pixels == np.roll(plain.pixels, shift, (1, 2))).all(axis=(1, 2)) for shift in shifts])
    assert (fits.sum(axis=0) == 1).all()
    assert (fits.sum(axis=1) > 70).all()  # each of the nine shifts is about as frequent
