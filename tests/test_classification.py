"""Slides 19-20: the negative log probability is the cross entropy; calibration on answers that are known."""

import numpy as np
import pytest
from matplotlib.image import imread
from scipy.special import log_softmax

from lecture10_vae import classification
from lecture10_vae.pictures.classification import draw_confusion
from lecture10_vae.studies import calibration
from lecture10_vae.tf1 import tf


def test_loss_is_the_sparse_softmax_cross_entropy_of_slide_20s_network(session, small_mnist):
    test = small_mnist["test"]
    model = classification.build_graph()
    session.run(tf.global_variables_initializer())
    feed = {model.images: test.images, model.label: test.labels}
    plain = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=model.label, logits=model.dist.logits)
    variables = list(model.network.trainable_variables)
    gradients = [tf.gradients(loss, variables) for loss in (model.loss, tf.reduce_mean(plain))]
    for one, other in zip(*session.run(gradients, feed), strict=True):
        assert np.abs(other).max() > 0
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5 * np.abs(other).max())

    fetches = [model.loss, model.log_prob, model.dist.logits, model.probability]
    loss, log_prob, logits, probability = session.run(fetches, feed)
    by_hand = log_softmax(logits.astype(np.float64), axis=1)
    np.testing.assert_allclose(log_prob, by_hand[np.arange(1_000), test.labels], rtol=1e-4)
    assert loss == pytest.approx(-by_hand[np.arange(1_000), test.labels].mean(), rel=1e-5)
    np.testing.assert_allclose(probability, np.exp(by_hand), rtol=1e-4)

    kernel, bias, logit_kernel, logit_bias = session.run(variables)
    hidden = np.maximum(test.images.reshape(-1, 784) @ kernel + bias, 0)
    np.testing.assert_allclose(logits, hidden @ logit_kernel + logit_bias, atol=1e-4)


@pytest.mark.slow
def test_defaults_reach_the_lectures_accuracy(tmp_path):
    # Over seeds 0-4 the mean is 0.9767 and the spread 0.0007: four spreads to either side
    assert 0.9740 < classification.main(logdir=tmp_path / "run")["accuracy"] < 0.9794


def test_a_short_training_answers_most_digits_and_is_drawn(on_small_mnist, tmp_path):
    assert classification.main(epochs=3, batch_size=20, logdir=tmp_path / "run")["accuracy"] > 0.85
    for name in ("reliability", "confusion", "doubtful"):
        assert imread(tmp_path / "run" / "pictures" / f"{name}.png").std() > 0.05


def test_calibration_error_weighs_bins_by_their_predictions():
    first = np.repeat([1.0, 0.9, 0.6], [5, 30, 10])  # the probability of the class that is answered, of three
    probabilities = np.stack([first, (1 - first) / 2, (1 - first) / 2], axis=1)
    labels = np.array([0] * 35 + [1] * 10)  # gaps of 0, 0.1 and 0.6
    by_hand = (30 * 0.1 + 10 * 0.6) / 45
    assert calibration.expected_calibration_error(probabilities, labels) == pytest.approx(by_hand)
    assert [count for count in calibration.reliability(probabilities, labels).count if count] == [10, 30, 5]


def test_confusion_matrix_counts_answers_by_digit():
    axes = draw_confusion(np.array([1, 1, 2, 7]), np.array([1, 1, 2, 2])).axes[0]
    written = {text.get_position(): text.get_text() for text in axes.texts if text.get_text()}
    assert written == {(1, 1): "2", (2, 2): "1", (7, 2): "1"}
