"""Slides 11 and 27-29: the bound, its parts and the predictions, against numpy on drawn weights."""

import json

import numpy as np
import pytest
from matplotlib.image import imread
from scipy import ndimage
from scipy.special import log_softmax, softmax
from scipy.stats import entropy, norm
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from lecture10_vae import bayesian_network
from lecture10_vae.beyond.experiments import doubt, two_layers
from lecture10_vae.pictures import bayesian_network as pictures
from lecture10_vae.studies import calibration, pruning, uncertainty
from lecture10_vae.studies.training import train
from lecture10_vae.tf1 import tf
from lecture10_vae.utils import mnist
from lecture10_vae.utils.run import read_curves, restore


class Trained:
    """A network, and the plain layer beside it, after five epochs on `small_mnist`; and what tests ask of them.

    It stands in for its session, too, and then remembers the weights that are drawn in each call. The graph is
    finished: measuring adds nothing to it.
    """

    def __init__(self, session, data, bayesian_bias):
        self.session = session
        self.model = model = bayesian_network.build_graph(2_000, bayesian_bias)
        self.point = two_layers.build_point_estimate(model.images, model.label)
        product = model.dist.logits.op.inputs[0]  # of the images and the drawn weights; the bias is added to it
        self.weights = product.op.inputs[1]
        both = tf.group(model.optimize, self.point.optimize)
        train(session, both, data["train"], 5, model.images, model.label, batch_size=50)
        session.graph.finalize()
        self.mean, self.stddev = session.run([model.mean, model.stddev])
        self.bias = 0 if bayesian_bias else session.run(model.network.trainable_variables[2])
        self.drawn = []

    def run(self, fetches, feed=None):
        values, weights = self.session.run([fetches, self.weights], feed)
        self.drawn.append(weights.astype(np.float64))
        return values

    def feed(self, data):
        return {self.model.images: data.images, self.model.label: data.labels}

    def logits(self, images, weights):
        """In numpy, of drawn weights."""
        pixels = images.reshape(len(images), 784)
        return np.pad(pixels, [(0, 0), (0, len(weights) - 784)], constant_values=1) @ weights + self.bias

    def divergence(self):
        """KL[Q(weights) || P(weights)], in closed form."""
        mean, stddev = self.mean.astype(np.float64), self.stddev.astype(np.float64)
        return (0.5 * (mean**2 + stddev**2 - 1) - np.log(stddev)).sum()


@pytest.fixture(scope="module", params=[False, True], ids=["plain bias", "Bayesian bias"])
def trained(request, small_mnist):
    with tf.Graph().as_default(), tf.Session() as session:
        yield Trained(session, small_mnist, bayesian_bias=request.param)


def test_network_is_the_layer_of_slides_27_and_28_and_the_point_estimate_a_plain_one(trained, small_mnist):
    test, model, point = small_mnist["test"], trained.model, trained.point
    fetches = [model.probability, model.log_prob, point.probability, point.log_prob, point.kernel, point.bias]
    *bayesian, plain, plain_log_prob, kernel, bias = trained.run(fetches, trained.feed(test))
    logits = trained.logits(test.images, trained.drawn[-1])
    assert logits.min() < -1  # where a relu would show
    plain_logits = test.images.reshape(-1, 784).astype(np.float64) @ kernel + bias
    for (probability, log_prob), expected in ((bayesian, logits), ((plain, plain_log_prob), plain_logits)):
        np.testing.assert_allclose(probability, softmax(expected, axis=1), rtol=1e-3, atol=1e-6)
        by_hand = log_softmax(expected, axis=1)[np.arange(1_000), test.labels].mean()
        assert log_prob == pytest.approx(by_hand, rel=1e-4)
    assert np.mean(plain.argmax(axis=1) == test.labels) > 0.75  # it was trained too
    np.testing.assert_allclose(two_layers.predict_point_estimate(trained, point, test.images), [plain], atol=1e-6)
    np.testing.assert_allclose(doubt.predict_each(test.images, kernel[None], bias[None]), [plain], atol=1e-5)


def test_mini_batch_bounds_average_to_the_full_bound(trained, small_mnist):
    train, elbo_of = small_mnist["train"], trained.model.elbo
    elbo = trained.run(elbo_of, trained.feed(train))
    same = {trained.weights: trained.drawn[-1]}
    bounds = [trained.run(elbo_of, trained.feed(batch) | same) for batch in mnist.batches(train, 50, seed=1)]
    assert np.mean(bounds) == pytest.approx(elbo, rel=1e-5)
    # N such shares are the bound of slide 11: the whole set's log probability less one whole divergence.
    logits = trained.logits(train.images, trained.drawn[-1])
    whole = log_softmax(logits, axis=1)[np.arange(2_000), train.labels].sum() - trained.divergence()
    assert 2_000 * elbo == pytest.approx(whole, rel=1e-4)


def test_weights_are_drawn_from_the_posterior_anew_and_kl_is_their_mean_log_ratio(trained):
    weights = np.stack([trained.session.run(trained.weights) for _ in range(1_000)])
    deviations = (weights - trained.mean) / trained.stddev
    assert np.abs(deviations.mean(axis=0)).max() < 6 / np.sqrt(1_000)
    assert deviations.std() == pytest.approx(1, abs=0.001)
    kl = 2_000 * trained.session.run(trained.model.kl)
    assert kl == pytest.approx(trained.divergence(), rel=1e-5)
    log_ratios = norm.logpdf(weights, trained.mean, trained.stddev) - norm.logpdf(weights)
    log_ratios = log_ratios.sum(axis=(1, 2), dtype=np.float64)
    assert kl == pytest.approx(log_ratios.mean(), abs=4 * log_ratios.std() / np.sqrt(1_000))


def test_bound_is_averaged_over_draws(trained, small_mnist):
    train, model = small_mnist["train"], trained.model
    numbers = bayesian_network.average_bound(trained, model, train, draws=3)
    logits = np.stack([trained.logits(train.images, weights) for weights in trained.drawn[-4:-1]])  # the last is for kl
    log_probs = log_softmax(logits, axis=2)[:, np.arange(2_000), train.labels].mean(axis=1)
    assert numbers["train_log_prob_nats"] == pytest.approx(log_probs.mean(), rel=1e-4)
    assert numbers["kl_nats"] == trained.session.run(model.kl)
    assert numbers["train_elbo_nats"] == numbers["train_log_prob_nats"] - numbers["kl_nats"]


def test_predictions_average_and_split_as_numpy_does_on_drawn_weights(trained, small_mnist):
    images, labels = small_mnist["test"].images, small_mnist["test"].labels
    prediction = bayesian_network.predict(trained, trained.model, images, draws=5)
    by_hand = np.stack([softmax(trained.logits(images, weights), axis=1) for weights in trained.drawn[-5:]])
    np.testing.assert_allclose(prediction, by_hand, rtol=1e-3, atol=1e-6)

    average = by_hand.sum(axis=0) / 5
    split = uncertainty.split_entropy(prediction)
    np.testing.assert_allclose(split.entropy, entropy(average, axis=1), rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(split.expected_entropy, entropy(by_hand, axis=2).mean(axis=0), rtol=1e-3, atol=1e-5)
    # The mutual information is the mean divergence of a draw's answer from the average answer.
    divergences = (by_hand * np.log(by_hand / average)).sum(axis=2)
    np.testing.assert_allclose(split.mutual_information, divergences.mean(axis=0), rtol=1e-2, atol=1e-5)
    assert split.mutual_information.max() > 0.01

    log_predictive = np.log(average[np.arange(1_000), labels])
    np.testing.assert_allclose(uncertainty.log_predictive(prediction, labels), log_predictive, rtol=1e-3, atol=1e-5)
    scores = {"accuracy": np.mean(average.argmax(axis=1) == labels), "log_predictive_nats": log_predictive.mean()}
    scores["calibration_error"] = calibration.expected_calibration_error(average, labels)
    assert uncertainty.score(prediction, labels) == pytest.approx(scores, rel=1e-4, abs=1e-5)


def test_unfamiliar_images_are_what_they_say(small_mnist):
    images = np.repeat(small_mnist["test"].images[:100], 10, axis=0)
    unfamiliar = dict(uncertainty.make_unfamiliar(images))
    shuffled, noise = (unfamiliar[name].reshape(-1, 784) for name in ("shuffled pixels", "noise"))
    np.testing.assert_array_equal(np.sort(shuffled), np.sort(images.reshape(-1, 784)))
    assert len({tuple(pixels) for pixels in shuffled}) == 1_000  # each in an order of its own
    np.testing.assert_allclose(np.quantile(noise, [0, 0.25, 0.5, 0.75, 1]), [0, 0.25, 0.5, 0.75, 1], atol=2e-3)
    np.testing.assert_allclose(unfamiliar["turned by 90 degrees"], np.rot90(images, axes=(1, 2)), atol=1e-6)
    one_by_one = [ndimage.rotate(image, 15, reshape=False, order=1) for image in images]  # anticlockwise, as y is down
    np.testing.assert_allclose(uncertainty.turn(images, 15), one_by_one, atol=1e-6)


def test_separation_is_the_chance_to_rank_two_images_right():
    familiar, unfamiliar = np.array([0.0, 1.0, 2.0]), np.array([1.0, 3.0])
    by_hand = np.mean([[(a > b) + 0.5 * (a == b) for b in familiar] for a in unfamiliar])
    assert uncertainty.separation(familiar, unfamiliar) == pytest.approx(by_hand)


def test_pruning_is_measured_on_both_layers(trained, small_mnist):
    point, test = trained.point, small_mnist["test"]
    pixel_stddev = small_mnist["train"].images.std(axis=0)
    accuracies = two_layers.measure_pruning(trained.session, trained.model, point, pixel_stddev, test)
    mean, stddev = trained.mean[:784], trained.stddev[:784]
    mean_bias = trained.mean[784] if len(trained.mean) > 784 else trained.bias
    kernel, kernel_bias = trained.session.run([point.kernel, point.bias])
    for name, weights, bias, importance in (
        ("by_signal_to_noise", mean, mean_bias, np.abs(mean / stddev)),
        ("by_mean", mean, mean_bias, np.abs(mean)),
        ("point_estimate_by_effect", kernel, kernel_bias, np.abs(kernel) * pixel_stddev.reshape(784, 1)),
        ("point_estimate_by_size", kernel, kernel_bias, np.abs(kernel)),
    ):
        for place, kept in ((0, 7_840), (4, 784)):  # all weights, and a tenth
            pruned = np.where(importance >= np.sort(importance, axis=None)[-kept], weights, 0)
            answer = (test.images.reshape(-1, 784) @ pruned + bias).argmax(axis=1)
            assert accuracies[name][place] == np.mean(answer == test.labels)


@pytest.mark.parametrize("trained", [False], indirect=True, ids=["plain bias"])
def test_logits_are_measured_as_numpy_does(trained, small_mnist):
    test = small_mnist["test"].first(50)
    numbers = two_layers.measure_logits(trained.session, trained.model, test)
    logits = trained.logits(test.images, trained.mean)
    margins = [logit[label] - np.delete(logit, label).mean() for logit, label in zip(logits, test.labels, strict=True)]
    assert numbers["logit_margin"] == pytest.approx(np.mean(margins), rel=1e-4)
    noise = test.images.reshape(50, 784) @ (np.log(2) * np.random.default_rng(0).standard_normal((784, 5_000)))
    assert numbers["logit_noise_at_default_stddev"] == pytest.approx(noise.std(axis=1).mean(), rel=0.02)


def test_weights_are_shown_as_one_picture_a_class():
    weights = np.zeros((785, 10), np.float32)  # the last are those of a Bayesian bias
    weights[28 * 3 + 5, 7] = weights[784] = 1  # row 3, column 5, class 7
    with tf.Graph().as_default(), tf.Session() as session:
        shown = session.run(pictures.by_class(tf.constant(weights)))
    assert np.argwhere(shown).tolist() == [[0, 3, 7 * 28 + 5, 0]]
    drawn = pictures.draw_weights(weights, weights).axes[1].images[0].get_array()
    assert np.argwhere(drawn).tolist() == [[3, 7 * 28 + 5]]


def test_main_writes_results_curves_histograms_and_pictures(on_small_mnist, tmp_path):
    folder = tmp_path / "run"
    results = bayesian_network.main(epochs=3, batch_size=20, draws=5, logdir=folder)
    assert results == json.loads((folder / "results.json").read_text())
    assert results["accuracy"] > 0.75
    train, test = read_curves(folder / "train"), read_curves(folder / "test")
    assert train.keys() == {"elbo", "log_prob", "kl", "accuracy"}
    assert test.keys() == {"log_prob", "accuracy"}  # no bound on test images
    assert [epoch for epoch, _ in train["kl"]] == list(range(4))
    assert train["kl"][-1][1] == pytest.approx(results["kl_nats"])
    events = EventAccumulator(str(folder / "test"), {"histograms": 0, "images": 0}).Reload()
    for name in ("mean", "stddev"):
        assert len(events.Histograms(f"summary/{name}")) == 4
        assert {(image.width, image.height) for image in events.Images(f"summary/{name}_by_class/image")} == {(280, 28)}
    for name in ("weights", "reliability", "doubtful"):
        assert imread(folder / "pictures" / f"{name}.png").std() > 0.05


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_defaults_reach_the_targets(seed, tmp_path):
    """One linear layer tells shuffled pixels by the mutual information, and turned digits hardly."""
    folder, test = tmp_path / "run", mnist.load("test")
    results = bayesian_network.main(seed=seed, logdir=folder)
    assert results["accuracy"] >= 0.925
    assert results["calibration_error"] <= 0.025
    assert -0.44 < results["train_elbo_nats"] < -0.42
    with tf.Graph().as_default(), tf.Session() as session:
        model = bayesian_network.build_graph()
        restore(session, folder)
        mean, stddev, bias, kl = session.run([model.mean, model.stddev, model.network.trainable_variables[2], model.kl])
        known, turned, shuffled, _ = (
            uncertainty.split_entropy(bayesian_network.predict(session, model, images, 20)).mutual_information
            for images in (test.images, *dict(uncertainty.make_unfamiliar(test.images)).values())
        )
    assert kl == pytest.approx(results["kl_nats"], rel=1e-6)
    assert uncertainty.separation(known, shuffled) > 0.99
    assert uncertainty.separation(known, turned) < 0.9
    (by_ratio,) = pruning.accuracies(mean, bias, np.abs(mean) / stddev, test.images, test.labels, kept=[0.3])
    (by_mean,) = pruning.accuracies(mean, bias, np.abs(mean), test.images, test.labels, kept=[0.3])
    assert by_ratio > 0.9 > by_mean
