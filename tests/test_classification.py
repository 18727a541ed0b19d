"""Slides 19-20: the negative log probability is the cross entropy; calibration on answers that are known."""

import json

import numpy as np
import pytest
from matplotlib.image import imread
from scipy.special import log_softmax

from lecture10_vae import classification
from lecture10_vae.tf1 import tf
from lecture10_vae.utils import calibration, plotting


def test_loss_is_the_sparse_softmax_cross_entropy(small_mnist):
    pixels, labels = small_mnist["test"]
    with tf.Graph().as_default() as tensorflow_graph, tf.Session() as session:
        graph = classification.build_graph()
        session.run(tf.global_variables_initializer())
        logit = tensorflow_graph.get_tensor_by_name("network/dense_1/BiasAdd:0")
        plain = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=graph.label, logits=logit)
        variables = tf.trainable_variables()
        found, expected = session.run(
            [[-graph.log_prob, *tf.gradients(-graph.log_prob, variables)], [plain, *tf.gradients(plain, variables)]],
            {graph.pixels: pixels, graph.label: labels},
        )
        for one, other in zip(found, expected, strict=True):
            assert np.abs(other).max() > 0
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5 * np.abs(other).max())

        logits, probability = session.run([logit, graph.probability], {graph.pixels: pixels})
        by_hand = -log_softmax(logits.astype(np.float64), axis=1)[np.arange(1_000), labels]
        np.testing.assert_allclose(found[0], by_hand, rtol=1e-4)
        np.testing.assert_allclose(probability.sum(axis=1), 1, rtol=1e-5)


def test_training_on_small_mnist(on_small_mnist, tmp_path):
    results = classification.main(epochs=3, logdir=tmp_path)
    assert results == json.loads((tmp_path / "results.json").read_text())
    assert results["test_accuracy"] > 0.8
    assert results["test_cross_entropy_nats"] == -results["test_log_prob_nats"]
    assert 0 <= results["test_calibration_error"] < 0.5
    for name in ("reliability", "confusion", "doubtful"):
        assert imread(tmp_path / "figures" / f"{name}.png").std() > 0.05


def test_defaults_reach_the_lectures_accuracy(tmp_path):
    results = classification.main(logdir=tmp_path)
    assert results["test_accuracy"] >= 0.976


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
    found = calibration.reliability(probabilities, labels, bins=10)
    assert found.count.tolist() == [0, 0, 0, 0, 0, 0, 10, 0, 0, 30]


def test_confusion_matrix_counts_answers_by_digit():
    axes = plotting.confusion(np.array([1, 1, 2, 7]), np.array([1, 1, 2, 2])).axes[0]
    written = {text.get_position(): text.get_text() for text in axes.texts if text.get_text()}
    assert written == {(1, 1): "2", (2, 2): "1", (7, 2): "1"}
    assert axes.get_title() == "1 of 4 test images mistaken"
