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
from lecture10_vae.each_batch import each_batch
from lecture10_vae.experiments import two_layers
from lecture10_vae.pictures import bayesian_network as pictures
from lecture10_vae.pictures.classification import draw_outputs
from lecture10_vae.studies import pruning, uncertainty
from lecture10_vae.studies.training import train
from lecture10_vae.tf1 import tf
from lecture10_vae.utils import mnist
from lecture10_vae.utils.run import read_curves, restore


class Trained:
    """A network, and the plain layer beside it, after five epochs on `small_mnist`; and what tests ask of them.

    It stands in for its session, too, and then remembers the weights that are drawn in each call.
    """

    def __init__(self, session, data, bayesian_bias):
        self.session = session
        self.model = model = bayesian_network.build_graph(2_000, bayesian_bias)
        self.point = two_layers.build_point_estimate(model.images, model.label)
        product = model.dist.logits.op.inputs[0]  # of the images and the drawn weights; the bias is added to it
        self.weights = product.op.inputs[1]
        both = tf.group(model.optimize, self.point.optimize)
        train(session, both, data["train"], 5, model.images, model.label, batch_size=50)
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


@pytest.fixture(scope="module", params=[False, True], ids=["plain bias", "Bayesian bias"])
def trained(request, small_mnist):
    with tf.Graph().as_default(), tf.Session() as session:
        yield Trained(session, small_mnist, bayesian_bias=request.param)


def test_network_is_the_layer_of_slides_27_and_28(trained, small_mnist):
    test = small_mnist["test"]
    probability, log_prob = trained.run([trained.model.probability, trained.model.log_prob], trained.feed(test))
    logits = trained.logits(test.images, trained.drawn[-1])
    np.testing.assert_allclose(probability, softmax(logits, axis=1), rtol=1e-3, atol=1e-6)
    by_hand = log_softmax(logits, axis=1)[np.arange(1_000), test.labels].mean()
    assert log_prob == pytest.approx(by_hand, rel=1e-4)
    assert logits.min() < -1  # where a relu would show


def test_define_network_takes_the_slides_arguments():
    with tf.Graph().as_default():
        dist, posterior, prior = bayesian_network.define_network(tf.placeholder(tf.float32, [None, 28, 28]), 7)
        assert dist.logits.shape.as_list() == [None, 7]
        assert (posterior.batch_shape, posterior.event_shape) == ([784], [7])
        with tf.Session() as session:
            session.run(tf.global_variables_initializer())
            assert (session.run(prior.mean()) == 0).all()
            assert (session.run(prior.stddev()) == 1).all()
            assert session.run(posterior.stddev()) == pytest.approx(np.log1p(np.exp(-4)), rel=1e-4)


def test_kl_is_its_closed_form_and_the_mean_log_ratio_of_draws(trained):
    mean, stddev = trained.mean.astype(np.float64), trained.stddev.astype(np.float64)
    closed_form = (0.5 * (mean**2 + stddev**2 - 1) - np.log(stddev)).sum()
    kl = trained.session.run(trained.model.kl)
    assert kl * 2_000 == pytest.approx(closed_form, rel=1e-5)

    draws = mean + stddev * np.random.default_rng(0).standard_normal((500, *mean.shape))
    log_ratios = (norm.logpdf(draws, mean, stddev) - norm.logpdf(draws)).sum(axis=(1, 2))
    assert kl * 2_000 == pytest.approx(log_ratios.mean(), abs=4 * log_ratios.std() / np.sqrt(500))


def test_mini_batch_bounds_average_to_the_full_bound(trained, small_mnist):
    train, elbo_of = small_mnist["train"], trained.model.elbo
    elbo = trained.run(elbo_of, trained.feed(train))
    same = {trained.weights: trained.drawn[-1]}
    bounds = [trained.run(elbo_of, trained.feed(batch) | same) for batch in mnist.batches(train, 50, seed=1)]
    assert np.mean(bounds) == pytest.approx(elbo, rel=1e-5)
    # N such shares are the bound of slide 11: the whole set's log probability less one whole divergence.
    logits = trained.logits(train.images, trained.drawn[-1])
    whole = log_softmax(logits, axis=1)[np.arange(2_000), train.labels].sum()
    whole -= (0.5 * (trained.mean**2 + trained.stddev**2 - 1) - np.log(trained.stddev)).sum(dtype=np.float64)
    assert 2_000 * elbo == pytest.approx(whole, rel=1e-4)


def test_weights_are_drawn_from_the_posterior_anew_each_time(trained):
    weights = np.stack([trained.session.run(trained.weights) for _ in range(1_000)])
    deviations = (weights - trained.mean) / trained.stddev
    assert np.abs(deviations.mean(axis=0)).max() < 6 / np.sqrt(1_000)
    assert deviations.std() == pytest.approx(1, abs=0.001)
    assert (weights[1:] != weights[:-1]).any(axis=(1, 2)).all()


def test_mini_batches_of_one_call_have_weights_of_their_own(trained, small_mnist):
    same = np.repeat(small_mnist["test"].images[:1], 100, axis=0)
    with trained.session.graph.as_default():
        by_batch = each_batch(trained.model.probability, 10, [trained.model.images])
    probability = trained.session.run(by_batch, {trained.model.images: same})  # [10, 10, 10]
    np.testing.assert_allclose(probability, probability[:, :1].repeat(10, axis=1), rtol=1e-4)
    assert len({tuple(row) for row in probability[:, 0]}) == 10


def test_each_loss_reaches_its_own_weights_alone(trained):
    point = [trained.point.kernel, trained.point.bias]
    losses = {trained.model.elbo: trained.model.network.trainable_variables, trained.point.log_prob: point}
    with trained.session.graph.as_default():
        variables = tf.trainable_variables()
        for loss, own in losses.items():
            gradients = zip(tf.gradients(loss, variables), variables, strict=True)
            reached = {variable.name for gradient, variable in gradients if gradient is not None}
            assert reached == {variable.name for variable in own}


def test_point_estimate_is_a_layer_of_the_same_shape(trained, small_mnist):
    session, point, test = trained.session, trained.point, small_mnist["test"]
    kernel, bias = session.run([point.kernel, point.bias])
    assert kernel.shape == (784, 10)
    expected = softmax(test.images.reshape(-1, 784).astype(np.float64) @ kernel + bias, axis=1)
    prediction = two_layers.predict_point_estimate(session, point, test.images)
    np.testing.assert_allclose(prediction, expected[np.newaxis], rtol=1e-3, atol=1e-6)
    log_prob = session.run(point.log_prob, trained.feed(test))
    assert log_prob == pytest.approx(np.log(expected[np.arange(1_000), test.labels]).mean(), rel=1e-4)
    assert np.mean(expected.argmax(axis=1) == test.labels) > 0.75  # it was trained too


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

    log_predictive = uncertainty.log_predictive(prediction, labels)
    np.testing.assert_allclose(log_predictive, np.log(average[np.arange(1_000), labels]), rtol=1e-3, atol=1e-5)
    scores = uncertainty.score(prediction, labels)
    assert scores["accuracy"] == np.mean(average.argmax(axis=1) == labels)
    assert scores["log_predictive_nats"] == pytest.approx(log_predictive.mean())


def test_bound_is_averaged_over_draws(trained, small_mnist):
    train, model = small_mnist["train"], trained.model
    del trained.drawn[:]
    numbers = bayesian_network.average_bound(trained, model, train, draws=3)
    elbos = []
    for weights in trained.drawn[:3]:
        log_prob = log_softmax(trained.logits(train.images, weights), axis=1)[np.arange(2_000), train.labels]
        elbos.append(log_prob.mean() - trained.session.run(model.kl))
    assert len(set(elbos)) == 3
    assert numbers["train_elbo_nats"] == pytest.approx(np.mean(elbos), rel=1e-4)
    assert numbers["kl_nats"] == trained.session.run(model.kl)


def test_entropy_splits_into_the_extremes():
    sure, torn = np.eye(4)[:2], np.full((2, 4), 0.25)
    agreeing, disagreeing = np.stack([sure[:1], sure[:1]]), sure[:, np.newaxis]
    for prediction, expected in (
        (agreeing, (0, 0, 0)),
        (disagreeing, (np.log(2), 0, np.log(2))),  # two draws, each sure of another class
        (torn[:, np.newaxis], (np.log(4), np.log(4), 0)),
    ):
        np.testing.assert_allclose(np.array(uncertainty.split_entropy(prediction))[:, 0], expected, atol=1e-12)


def test_scores_of_made_up_predictions_are_known():
    # Averaged over two draws, ten images get 0.7 for class 0, which is the label of six: a gap of 0.1.
    prediction = np.stack([np.tile([0.9, 0.1, 0.0], (10, 1)), np.tile([0.5, 0.2, 0.3], (10, 1))])
    labels = np.array([0] * 6 + [1] * 4)
    scores = uncertainty.score(prediction, labels)
    assert scores["accuracy"] == 0.6
    assert scores["calibration_error"] == pytest.approx(0.1)
    assert scores["log_predictive_nats"] == pytest.approx(0.6 * np.log(0.7) + 0.4 * np.log(0.15))


def test_images_turn_anticlockwise_about_their_middle(small_mnist):
    images = small_mnist["test"].images[:5]
    np.testing.assert_allclose(uncertainty.turn(images, 0), images, atol=1e-6)
    np.testing.assert_allclose(uncertainty.turn(images, 90), np.rot90(images, axes=(1, 2)), atol=1e-6)
    np.testing.assert_allclose(uncertainty.turn(images, 180), images[:, ::-1, ::-1], atol=1e-6)
    one_by_one = [ndimage.rotate(image, 15, reshape=False, order=1) for image in images]  # y down: anticlockwise to see
    np.testing.assert_allclose(uncertainty.turn(images, 15), one_by_one, atol=1e-6)


def test_rotation_report_asks_the_predictor_of_turned_images(small_mnist):
    images, labels = small_mnist["test"].images, small_mnist["test"].labels

    def knows_upright_images(asked):
        right = np.eye(10)[labels][np.newaxis]
        return right if np.allclose(asked, images, atol=1e-6) else np.full((1, 1_000, 10), 0.1)

    def knows_nothing(asked):
        return np.full((1, len(asked), 10), 0.1)

    both = {"upright": knows_upright_images, "nothing": knows_nothing}
    rotation = two_layers.under_rotation(both, images, labels, [0, 90])
    assert rotation["upright"]["accuracy"] == [1, np.mean(labels == 0)]
    assert rotation["upright"]["entropy_nats"] == pytest.approx([0, np.log(10)])
    assert rotation["upright"]["expected_entropy_nats"] == pytest.approx([0, np.log(10)])
    assert rotation["nothing"]["accuracy"] == [np.mean(labels == 0)] * 2
    assert rotation["nothing"]["entropy_nats"] == pytest.approx([np.log(10)] * 2)


def test_unfamiliar_images_are_what_they_say(small_mnist):
    images = small_mnist["test"].images
    unfamiliar = dict(uncertainty.make_unfamiliar(images))
    shuffled, noise = unfamiliar["shuffled pixels"], unfamiliar["noise"]
    np.testing.assert_array_equal(np.sort(shuffled.reshape(-1, 784)), np.sort(images.reshape(-1, 784)))
    alike = dict(uncertainty.make_unfamiliar(np.repeat(images[:1], 10, axis=0)))["shuffled pixels"]
    assert len({tuple(pixels) for pixels in alike.reshape(10, 784)}) == 10  # each in an order of its own
    assert noise.shape == images.shape
    assert (noise.min(), noise.max(), noise.mean()) == (
        pytest.approx(0, abs=1e-4),
        pytest.approx(1, abs=1e-4),
        pytest.approx(0.5, abs=1e-3),
    )
    np.testing.assert_allclose(unfamiliar["turned by 90 degrees"], np.rot90(images, axes=(1, 2)), atol=1e-6)


def test_separation_is_the_chance_to_rank_two_images_right():
    familiar, unfamiliar = np.array([0.0, 1.0, 2.0]), np.array([1.0, 3.0])
    by_hand = np.mean([[(a > b) + 0.5 * (a == b) for b in familiar] for a in unfamiliar])
    assert uncertainty.separation(familiar, unfamiliar) == pytest.approx(by_hand)
    assert uncertainty.separation(familiar, familiar) == 0.5
    assert uncertainty.separation(familiar, familiar + 5) == 1


def test_pruning_keeps_the_most_important_weights():
    weights, importance = np.arange(1.0, 9).reshape(4, 2), np.array([[3, 8], [1, 2], [7, 6], [5, 4]])
    np.testing.assert_array_equal(pruning.prune(weights, importance, 0.5), [[0, 2], [0, 0], [5, 6], [7, 0]])
    np.testing.assert_array_equal(pruning.prune(weights, importance, 1), weights)
    assert not pruning.prune(weights, importance, 0).any()


def test_pruning_is_measured_on_both_layers(trained, small_mnist):
    session, model, point, test = trained.session, trained.model, trained.point, small_mnist["test"]
    pixel_stddev, pixels = small_mnist["train"].images.std(axis=0), test.images.reshape(-1, 784)
    accuracies = two_layers.measure_pruning(session, model, point, pixel_stddev, test)
    tenth = accuracies["kept"].index(0.1)

    def accuracy_by_hand(weights, bias, importance, kept):
        weights = np.where(importance >= np.sort(importance, axis=None)[-kept], weights, 0)
        return np.mean((pixels @ weights + bias).argmax(axis=1) == test.labels)

    mean, ratio = trained.mean[:784], np.abs(trained.mean / trained.stddev)[:784]
    mean_bias = trained.mean[784] if len(trained.mean) > 784 else trained.bias
    kernel, kernel_bias = session.run([point.kernel, point.bias])
    effect = np.abs(kernel) * pixel_stddev.reshape(784, 1)
    for weights, bias, importance, names in (
        (mean, mean_bias, ratio, ("by_signal_to_noise", "by_mean")),
        (kernel, kernel_bias, effect, ("point_estimate_by_effect", "point_estimate_by_size")),
    ):
        whole = accuracy_by_hand(weights, bias, importance, kept=7_840)
        assert [accuracies[name][0] for name in names] == [whole, whole]
        assert whole > 0.75
        assert accuracies[names[0]][tenth] == accuracy_by_hand(weights, bias, importance, kept=784)
        assert accuracies[names[1]][tenth] == accuracy_by_hand(weights, bias, np.abs(weights), kept=784)


@pytest.mark.parametrize("trained", [False], indirect=True, ids=["plain bias"])
def test_logits_are_measured_as_numpy_does(trained, small_mnist):
    test = small_mnist["test"].first(50)
    numbers = two_layers.measure_logits(trained.session, trained.model, test)
    margins, noise = [], []
    for image, label in zip(test.images, test.labels, strict=True):
        logit = trained.logits(image[np.newaxis], trained.mean)[0]
        margins.append(logit[label] - np.delete(logit, label).mean())
        weights = np.log(2) * np.random.default_rng(label).standard_normal((784, 1_000))
        noise.append((image.reshape(784) @ weights).std())
    assert numbers["logit_margin"] == pytest.approx(np.mean(margins), rel=1e-4)
    assert numbers["logit_noise_at_default_stddev"] == pytest.approx(np.mean(noise), rel=0.02)


def test_measuring_adds_nothing_to_the_graph(trained, small_mnist):
    session, model, point, test = trained.session, trained.model, trained.point, small_mnist["test"].first(50)
    before = len(session.graph.get_operations())
    for _ in range(2):
        predictors = {
            "bayesian": lambda images: bayesian_network.predict(session, model, images, 2),
            "point_estimate": lambda images: two_layers.predict_point_estimate(session, point, images),
        }
        numbers = two_layers.measure_doubt(predictors, test)
        two_layers.measure_pruning(session, model, point, np.ones([28, 28]), test)
        bayesian_network.average_bound(session, model, test, draws=2)
        bayesian_network.evaluate(session, model, test.images, test.labels)
    assert len(session.graph.get_operations()) == before
    plain = numbers["rotation"]["point_estimate"]["entropy_nats"]
    assert plain[0] == pytest.approx(numbers["unfamiliar"]["point_estimate"]["test digits"]["entropy_nats"], rel=1e-4)
    assert plain[6] == pytest.approx(
        numbers["unfamiliar"]["point_estimate"]["turned by 90 degrees"]["entropy_nats"], rel=1e-4
    )


@pytest.fixture(scope="module")
def run_folder(small_mnist, tmp_path_factory):
    """The folder of a run of two epochs on `small_mnist`, and what `main` returns."""
    folder = tmp_path_factory.mktemp("runs") / "bayesian_network"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mnist, "load", lambda part, data_dir=None: small_mnist[part])
        return folder, bayesian_network.main(epochs=2, draws=3, bayesian_bias=True, seed=5, logdir=folder)


def test_main_writes_results_and_pictures(run_folder):
    folder, results = run_folder
    assert results == json.loads((folder / "results.json").read_text())
    assert 0.3 < results["accuracy"] < 1
    assert results["log_predictive_nats"] < 0
    assert 0 < results["calibration_error"] < 0.6
    assert results["draws"] == 3
    for name in ("weights", "reliability", "doubtful"):
        image = imread(folder / "pictures" / f"{name}.png")
        assert min(image.shape[:2]) >= 500
        assert image.std() > 0.05


def test_restored_network_is_the_one_that_was_trained(run_folder, small_mnist):
    folder, results = run_folder
    with tf.Graph().as_default(), tf.Session() as session:
        model = bayesian_network.build_graph(2_000, bayesian_bias=True)
        restore(session, folder)
        assert session.run(model.kl) == pytest.approx(results["kl_nats"], rel=1e-6)
        train = small_mnist["train"]
        bound = bayesian_network.average_bound(session, model, train, draws=20)["train_elbo_nats"]
        assert bound == pytest.approx(results["train_elbo_nats"], abs=0.02)


def test_tensorboards_own_reader_finds_curves_weights_and_graph(run_folder):
    folder, results = run_folder
    train, test = read_curves(folder / "train"), read_curves(folder / "test")
    assert train.keys() == {"elbo", "log_prob", "kl", "accuracy"}
    assert test.keys() == {"log_prob", "accuracy"}  # no bound on test images
    assert [epoch for epoch, _ in train["kl"]] == [0, 1, 2]
    assert train["kl"][-1][1] == pytest.approx(results["kl_nats"])
    events = EventAccumulator(str(folder / "test"), {"histograms": 0}).Reload()
    for name in ("mean", "stddev"):
        assert len(events.Histograms(f"summary/{name}")) == 3
        images = events.Images(f"summary/{name}_by_class/image")
        assert [(image.step, image.width, image.height) for image in images] == [(i, 280, 28) for i in range(3)]
    names = {node.name.split("/")[0] for node in EventAccumulator(str(folder / "train")).Reload().Graph().node}
    assert {"images", "label", "network", "elbo", "optimize"} <= names


def test_weights_are_shown_as_one_picture_a_class():
    weights = np.zeros((784, 10), np.float32)
    weights[28 * 3 + 5, 7] = 1  # row 3, column 5, class 7
    with tf.Graph().as_default(), tf.Session() as session:
        shown = session.run(pictures.by_class(tf.constant(weights)))
    assert np.argwhere(shown).tolist() == [[0, 3, 7 * 28 + 5, 0]]
    drawn = pictures.draw_weights(weights, weights).axes[1].images[0].get_array()
    assert np.argwhere(drawn).tolist() == [[3, 7 * 28 + 5]]


def test_doubtful_digits_show_each_draw():
    draws = np.random.default_rng(0).dirichlet(np.ones(10), size=(4, 12))
    digits = np.zeros((12, 28, 28)), np.arange(12) % 10
    picture = draw_outputs(*digits, draws.mean(axis=0), draws=draws, name="probability", title="")
    panels = [axes for axes in picture.axes if axes.lines]
    dots = [np.sort(np.concatenate([line.get_ydata() for line in axes.get_lines()[-10:]])) for axes in panels]
    np.testing.assert_allclose(dots, np.sort(draws.swapaxes(0, 1).reshape(12, 40)))


def check_targets(folder):
    """One linear layer tells shuffled pixels by the mutual information, and turned digits hardly."""
    results = json.loads((folder / "results.json").read_text())
    assert results["accuracy"] >= 0.925
    assert results["calibration_error"] <= 0.025
    assert -0.44 < results["train_elbo_nats"] < -0.42
    test = mnist.load("test")
    with tf.Graph().as_default(), tf.Session() as session:
        model = bayesian_network.build_graph()
        restore(session, folder)
        mean, stddev, bias = session.run([model.mean, model.stddev, model.network.trainable_variables[2]])
        known, *others = (
            uncertainty.split_entropy(bayesian_network.predict(session, model, images, 20)).mutual_information
            for images in (test.images, *dict(uncertainty.make_unfamiliar(test.images)).values())
        )
    turned, shuffled, _ = (uncertainty.separation(known, unfamiliar) for unfamiliar in others)
    assert shuffled > 0.99
    assert turned < 0.9
    third = {"images": test.images, "labels": test.labels, "kept": [0.3]}
    (by_ratio,), (by_mean,) = (
        pruning.accuracies(mean, bias, importance, **third) for importance in (np.abs(mean) / stddev, np.abs(mean))
    )
    assert by_ratio > 0.9 > by_mean


def test_defaults_reach_the_targets(start_script, tmp_path):
    output, errors = start_script("bayesian_network", cwd=tmp_path).communicate(timeout=400)
    assert errors == ""
    assert [line.split()[0] for line in output.splitlines()[1:32]] == [str(epoch) for epoch in range(31)]
    check_targets(tmp_path / "runs" / "bayesian_network")


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_other_seeds_reach_the_targets(seed, tmp_path):
    bayesian_network.main(seed=seed, logdir=tmp_path / "run")
    check_targets(tmp_path / "run")
