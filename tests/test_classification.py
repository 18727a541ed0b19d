"""Slides 19-20: the negative log probability is the cross entropy; calibration on answers that are known."""

import json

import numpy as np
import pytest
from matplotlib.image import imread
from scipy.special import log_softmax

from lecture10_vae import classification
from lecture10_vae.pictures.classification import draw_confusion
from lecture10_vae.studies import calibration
from lecture10_vae.tf1 import tf


def test_loss_is_the_sparse_softmax_cross_entropy(small_mnist):
    test = small_mnist["test"]
    with tf.Graph().as_default(), tf.Session() as session:
        model = classification.build_graph()
        session.run(tf.global_variables_initializer())
        feed = {model.images: test.images, model.label: test.labels}
        plain = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=model.label, logits=model.dist.logits)
        variables = model.network.trainable_variables
        gradients = [tf.gradients(loss, variables) for loss in (model.loss, tf.reduce_mean(plain))]
        for one, other in zip(*session.run(gradients, feed), strict=True):
            assert np.abs(other).max() > 0
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5 * np.abs(other).max())
        loss, log_prob, logits, probability = session.run(
            [model.loss, model.log_prob, model.dist.logits, model.probability], feed
        )
    by_hand = log_softmax(logits.astype(np.float64), axis=1)
    np.testing.assert_allclose(log_prob, by_hand[np.arange(1_000), test.labels], rtol=1e-4)
    assert loss == pytest.approx(-by_hand[np.arange(1_000), test.labels].mean(), rel=1e-5)
    np.testing.assert_allclose(probability, np.exp(by_hand), rtol=1e-4)


def test_network_is_slide_20s(small_mnist):
    images = small_mnist["test"].images
    with tf.Graph().as_default(), tf.Session() as session:
        model = classification.build_graph()
        session.run(tf.global_variables_initializer())
        kernel, bias, logit_kernel, logit_bias = session.run(list(model.network.trainable_variables))
        logits = session.run(model.dist.logits, {model.images: images})
    hidden = np.maximum(images.reshape(-1, 784) @ kernel + bias, 0)
    np.testing.assert_allclose(logits, hidden @ logit_kernel + logit_bias, atol=1e-4)


def test_training_on_small_mnist(on_small_mnist, tmp_path):
    results = classification.main(epochs=3, logdir=tmp_path / "run")
    assert results == json.loads((tmp_path / "run" / "results.json").read_text())
    assert results["accuracy"] > 0.8
    for name in ("reliability", "confusion", "doubtful"):
        assert imread(tmp_path / "run" / "pictures" / f"{name}.png").std() > 0.05


def test_defaults_reach_the_lectures_accuracy(tmp_path):
    # Over seeds 0-4 the mean is 0.9767 and the spread 0.0007: four spreads to either side
    assert 0.9740 < classification.main(logdir=tmp_path / "run")["accuracy"] < 0.9794


def predictions(confidence, count):
    """Predictions of three classes, the first with the given probability."""
    return np.tile([confidence, (1 - confidence) / 2, (1 - confidence) / 2], (count, 1))


@pytest.mark.parametrize(
    ("confidence", "right", "error"),
    [(0.8, 8, 0.0), (0.8, 5, 0.3), (1.0, 10, 0.0), (1.0, 0, 1.0), (0.5, 9, 0.4)],
)
def test_calibration_error_of_one_bin_is_known(confidence, right, error):
    labels = np.array([0] * right + [1] * (10 - right))
    assert calibration.expected_calibration_error(predictions(confidence, 10), labels) == pytest.approx(error)


def test_calibration_error_weighs_bins_by_their_predictions():
    probabilities = np.concatenate([predictions(0.9, 30), predictions(0.6, 10)])
    labels = np.array([0] * 30 + [1] * 10)  # gaps of 0.1 and 0.6
    assert calibration.expected_calibration_error(probabilities, labels) == pytest.approx(0.75 * 0.1 + 0.25 * 0.6)
    reliability = calibration.reliability(probabilities, labels, bins=10)
    assert reliability.count.tolist() == [0, 0, 0, 0, 0, 0, 10, 0, 0, 30]


def test_confusion_matrix_counts_answers_by_digit():
    axes = draw_confusion(np.array([1, 1, 2, 7]), np.array([1, 1, 2, 2])).axes[0]
    written = {text.get_position(): text.get_text() for text in axes.texts if text.get_text()}
    assert written == {(1, 1): "2", (2, 2): "1", (7, 2): "1"}
    assert axes.get_title() == "1 of 4 test images of MNIST mistaken"
