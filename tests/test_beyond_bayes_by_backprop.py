"""Bayes by Backprop: draws of the weights, divergences, bound and pruning against numpy; and a short form of it all."""

import json

import numpy as np
import pytest
from matplotlib.image import imread
from scipy.integrate import quad
from scipy.special import log_softmax, softmax
from scipy.stats import kstest, norm

from lecture10_vae.beyond import bayes_by_backprop
from lecture10_vae.beyond.bayes_by_backprop import define_network, make_divergence, make_prior
from lecture10_vae.tf1 import tf, tfd
from lecture10_vae.utils import mnist
from lecture10_vae.utils.run import Run, read_curves

HIDDEN = 20
MIXTURE = {"wide_share": 0.25, "wide_stddev": 0.8, "narrow_stddev": 0.0025}


class Trained:
    """A small network after an epoch on `small_mnist`, and what numpy makes of its weights."""

    def __init__(self, session, data, prior):
        self.session, self.data = session, data
        self.model = model = bayes_by_backprop.build_graph(2_000, make_prior(prior, **MIXTURE), hidden_size=HIDDEN)
        session.run(tf.global_variables_initializer())
        for batch in mnist.batches(data["train"], 20, seed=0):
            session.run(model.optimize, {model.images: batch.images, model.label: batch.labels})
        self.means = session.run([layer.loc for layer in model.posteriors])
        self.stddevs = session.run([layer.scale for layer in model.posteriors])

    def run(self, fetches, data):
        return self.session.run(fetches, {self.model.images: data.images, self.model.label: data.labels})


class Recorder:
    """A session that keeps the weights which are drawn in each run."""

    def __init__(self, session, drawn):
        self.session, self.drawn, self.kept = session, drawn, []

    def run(self, fetches, feed=None):
        values, drawn = self.session.run([fetches, self.drawn], feed)
        self.kept.append(drawn)
        return values


def forward(images, weights, factors=(1, 1)):
    """Logits in numpy; the last row of each layer's weights is its bias. Hidden units are multiplied by factors."""
    values = images.reshape(len(images), -1).astype(np.float64) * 255 / 126
    for kernel, factor in zip(weights[:-1], factors, strict=True):
        values = np.maximum(values @ kernel[:-1] + kernel[-1], 0) * factor
    return values @ weights[-1][:-1] + weights[-1][-1]


@pytest.fixture(scope="module", params=["gaussian", "mixture"])
def trained(request, small_mnist):
    with tf.Graph().as_default(), tf.Session() as session:
        yield Trained(session, small_mnist, request.param)


@pytest.mark.parametrize("way", bayes_by_backprop.DRAWS)
def test_each_way_to_draw_gives_an_images_sums_the_same_gaussian_and_two_images_in_common_what_they_should(way):
    random = np.random.default_rng(0)
    inputs, mean, stddev = random.normal(1, 1, (2, 50)), random.normal(size=(50, 3)), random.uniform(0.1, 1, (50, 3))
    with tf.Graph().as_default(), tf.Session() as session:
        tf.set_random_seed(0)
        posterior = tfd.Normal(tf.constant(mean, tf.float32), tf.constant(stddev, tf.float32))
        given = tf.constant(inputs, tf.float32), posterior, posterior.sample()
        tensors = [bayes_by_backprop.draw_sums(*given, which) for which in ("mean", way)]
        by_mean, _ = session.run(tensors)
        drawn = np.array([session.run(tensors[1]) for _ in range(4_000)], np.float64)  # [draws, 2, 3]
    np.testing.assert_allclose(by_mean, inputs @ mean, rtol=1e-4)
    spread = np.sqrt(inputs**2 @ stddev**2)
    z = (drawn - inputs @ mean) / spread
    assert np.abs(z.mean(axis=0)).max() < 4 / np.sqrt(4_000)
    assert np.abs((z**2).mean(axis=0) - 1).max() < 4 * np.sqrt(2 / 4_000)
    assert kstest(z.ravel(), "norm").pvalue > 1e-4
    correlation = (inputs[0] * inputs[1]) @ stddev**2 / spread.prod(axis=0)  # by a shared draw; more than 0.15
    expected = correlation if way == "shared" else 0
    np.testing.assert_allclose((z[:, 0] * z[:, 1]).mean(axis=0), expected, atol=5 / np.sqrt(4_000))


def test_divergence_from_a_gaussian_is_its_closed_form():
    mean, stddev = np.array([[0.3, -0.1]]), np.array([[0.2, 0.05]])
    with tf.Graph().as_default(), tf.Session() as session:
        divergence = session.run(make_divergence(tfd.Normal(mean, stddev), tfd.Normal(np.float64(0), 0.3), None))
    closed_form = np.log(0.3 / stddev) + (stddev**2 + mean**2) / (2 * 0.3**2) - 0.5
    assert divergence == pytest.approx(closed_form.sum())


def test_divergence_from_a_mixture_averages_to_its_integral():
    means, stddevs = [0.5, 0.0, 0.004, 0.02], [0.05, 0.0025, 0.003, 0.02]

    def integrand(w, mean, stddev):
        prior = 0.25 * norm.pdf(w, 0, 0.8) + 0.75 * norm.pdf(w, 0, 0.0025)
        return norm.pdf(w, mean, stddev) * (norm.logpdf(w, mean, stddev) - np.log(prior))

    exact = 0
    for mean, stddev in zip(means, stddevs, strict=True):
        span, places = 8 * stddev, [place for place in (-0.01, 0, 0.01) if abs(place - mean) < 8 * stddev]
        exact += quad(integrand, mean - span, mean + span, (mean, stddev), points=places, limit=200)[0]
    with tf.Graph().as_default(), tf.Session() as session:
        tf.set_random_seed(0)
        posterior = tfd.Normal(tf.constant(means), tf.constant(stddevs))
        divergence = make_divergence(posterior, make_prior("mixture", **MIXTURE), posterior.sample())
        draws = [session.run(divergence) for _ in range(2_000)]
    assert np.mean(draws) == pytest.approx(exact, abs=4 * np.std(draws) / np.sqrt(2_000))
    assert 4 * np.std(draws) / np.sqrt(2_000) < 0.03 * exact


def test_network_is_numpys_on_the_drawn_and_on_the_mean_weights(trained):
    test, model = trained.data["test"], trained.model
    fetches = [model.probability, model.mean_probability, model.drawn]
    probability, mean_probability, drawn = trained.run(fetches, test)
    np.testing.assert_allclose(probability, softmax(forward(test.images, drawn), axis=1), atol=1e-4)
    np.testing.assert_allclose(mean_probability, softmax(forward(test.images, trained.means), axis=1), atol=1e-4)
    deviations = [(w - m) / s for w, m, s in zip(drawn, trained.means, trained.stddevs, strict=True)]
    assert np.concatenate([deviation.ravel() for deviation in deviations]).std() == pytest.approx(1, abs=0.02)


def test_bound_holds_one_nth_of_the_whole_divergence(trained):
    train_data, model = trained.data["train"], trained.model
    fetches = [model.elbo, model.log_prob, model.kl, model.drawn]
    elbo, log_prob, kl, weights = trained.run(fetches, train_data)
    assert elbo == pytest.approx(log_prob - kl, rel=1e-6)
    by_hand = log_softmax(forward(train_data.images, weights), axis=1)[np.arange(2_000), train_data.labels]
    assert log_prob == pytest.approx(by_hand.mean(), abs=0.3)  # by other draws, one an image

    flat = [np.concatenate([part.ravel() for part in parts]) for parts in (weights, trained.means, trained.stddevs)]
    drawn, mean, stddev = (array.astype(np.float64) for array in flat)
    if isinstance(model.prior, tfd.Normal):
        whole = (np.log(0.3 / stddev) + (stddev**2 + mean**2) / (2 * 0.3**2) - 0.5).sum()
    else:
        log_prior = np.log(0.25 * norm.pdf(drawn, 0, 0.8) + 0.75 * norm.pdf(drawn, 0, 0.0025))
        whole = -(0.5 * np.log(2 * np.pi * np.e * stddev**2) + log_prior).sum()
    assert kl * 2_000 == pytest.approx(whole, rel=1e-4)


def test_gradients_vary_as_their_samples_do(small_mnist):
    with tf.Graph().as_default(), tf.Session() as session:
        trained = Trained(session, small_mnist, "gaussian")
        model, batch = trained.model, small_mnist["train"].first(50)
        weights = [tf.placeholder(tf.float32, layer.loc.shape) for layer in model.posteriors]
        log_prob = define_network(model.images, model.posteriors, weights, "shared").log_prob(model.label)
        by_weights = tf.gradients(tf.reduce_mean(log_prob), weights)
        every_way = bayes_by_backprop.make_gradients(model)
        feed = {model.images: batch.images, model.label: batch.labels}
        recorder = Recorder(session, model.drawn)
        numbers = bayes_by_backprop.vary(recorder, every_way, feed, draws=20)
        each = []
        for drawn in recorder.kept[:20]:  # of the first way, a shared draw: w = mean + stddev * deviation
            slopes = session.run(by_weights, feed | dict(zip(weights, drawn, strict=True)))
            layers = zip(slopes, drawn, trained.means, trained.stddevs, strict=True)
            by_stddevs = [slope * (w - mean) / stddev for slope, w, mean, stddev in layers]
            each.append([np.concatenate([part.ravel() for part in parts]) for parts in (slopes, by_stddevs)])
    by_means, by_stddevs = np.array(each, np.float64).var(axis=0, ddof=1).sum(axis=1)
    assert list(numbers) == list(bayes_by_backprop.DRAWS)
    assert numbers["shared"]["by_means_variance"] == pytest.approx(by_means, rel=1e-3)
    assert numbers["shared"]["by_stddevs_variance"] == pytest.approx(by_stddevs, rel=1e-3)
    for parameter in ("by_means_variance", "by_stddevs_variance"):
        assert numbers["local"][parameter] < 0.8 * numbers["shared"][parameter]


def test_pruning_sets_means_and_stddevs_to_zero(trained):
    test, means, recorder = trained.data["test"], trained.means, Recorder(trained.session, trained.model.drawn)
    numbers = bayes_by_backprop.prune(recorder, trained.model, test.images, test.labels, draws=2)
    draws = [recorder.kept[1 + 2 * place : 3 + 2 * place] for place in range(len(numbers["kept"]))]  # pruned already

    def most(importance, kept):
        ordered = np.sort(np.concatenate([part.ravel() for part in importance]))
        least = ordered[len(ordered) - round(kept * len(ordered))]
        return [part >= least for part in importance]

    def error(draws, masks):
        pruned = [[weights * mask for weights, mask in zip(draw, masks, strict=True)] for draw in draws]
        probability = sum(softmax(forward(test.images, weights), axis=1) for weights in pruned)
        return pytest.approx(100 * np.mean(probability.argmax(axis=1) != test.labels), abs=0.21)  # two of 1,000 images

    for place, kept in enumerate(numbers["kept"]):
        by_ratio = most([np.abs(mean) / stddev for mean, stddev in zip(means, trained.stddevs, strict=True)], kept)
        assert numbers["by_signal_to_noise"][place] == error(draws[place], by_ratio)
        for draw in draws[place]:
            assert all((weights == 0)[~mask].all() for weights, mask in zip(draw, by_ratio, strict=True))
        assert numbers["by_signal_to_noise_mean_weights"][place] == error([means], by_ratio)
        assert numbers["by_mean"][place] == error([means], most([np.abs(mean) for mean in means], kept))
    assert numbers["by_mean"][-1] > numbers["by_mean"][0] + 1


def test_dropout_leaves_out_its_share_and_predicts_with_all_units(small_mnist):
    images = small_mnist["test"].images
    with tf.Graph().as_default(), tf.Session() as session:
        model = bayes_by_backprop.build_point_graph(dropout=0.25, hidden_size=HIDDEN)
        session.run(tf.global_variables_initializer())
        noises = [op.outputs[0] for op in session.graph.get_operations() if op.type == "RandomUniform"]
        noises = [noise for noise in noises if "dropout" in noise.name]
        fetches = [noises, model.probability, model.mean_probability, tf.trainable_variables()]
        drawn, probability, mean_probability, variables = session.run(fetches, {model.images: images})
    weights = [np.vstack([kernel, bias]) for kernel, bias in zip(variables[::2], variables[1::2], strict=True)]
    kept = [noise >= 0.25 for noise in drawn]
    assert [np.mean(units) for units in kept] == pytest.approx([0.75, 0.75], abs=0.02)
    by_draw = forward(images, weights, [units / 0.75 for units in kept])
    np.testing.assert_allclose(probability, softmax(by_draw, axis=1), atol=1e-4)
    np.testing.assert_allclose(mean_probability, softmax(forward(images, weights), axis=1), atol=1e-4)


@pytest.mark.slow
def test_main_writes_results_and_pictures_and_goes_on_where_it_was_stopped(on_small_mnist, tmp_path, monkeypatch):
    variants, vary, log = bayes_by_backprop.VARIANTS, bayes_by_backprop.vary, Run.log
    some = {name: variants[name] for name in ("dropout", "gaussian", "mixture", "gaussian_adam", "gaussian_1")}
    some["short_flipout"] = variants["short_flipout"] | {"epochs": 2, "plain": False}  # with XLA, the others without
    monkeypatch.setattr(bayes_by_backprop, "VARIANTS", some)
    monkeypatch.setattr(bayes_by_backprop, "vary", lambda *given: vary(*given, draws=3))
    flags = {"epochs": 3, "hidden_size": HIDDEN, "draws": 3, "batch_size": 100, "plain": True, "logdir": tmp_path}

    def stop(run, session, epoch, **parts):
        log(run, session, epoch, **parts)
        if (run.flags["variant"], epoch) == ("gaussian", 1):
            raise KeyboardInterrupt

    with monkeypatch.context() as stopping:
        stopping.setattr(Run, "log", stop)
        with pytest.raises(KeyboardInterrupt):
            bayes_by_backprop.main(**flags)
    results = bayes_by_backprop.main(**flags)
    assert list(results) == list(some)
    for name, numbers in results.items():
        assert numbers == json.loads((tmp_path / name / "results.json").read_text())
        assert 5 < numbers["test_error_percent"] < 80
    assert [epoch for epoch, _ in read_curves(tmp_path / "gaussian" / "test")["log_prob"]] == [0, 1, 2, 3]
    gaussian = results["gaussian"]
    assert gaussian["train_elbo_nats"] == pytest.approx(gaussian["train_log_prob_nats"] - gaussian["kl_nats"], rel=1e-5)
    assert (gaussian["initial_stddev"], gaussian["epochs"], gaussian["seed"], gaussian["draws"]) == (0.02, 3, 0, 3)
    assert results["gaussian_1"]["seed"] == 1
    assert results["gaussian_1"]["train_elbo_nats"] != gaussian["train_elbo_nats"]
    assert gaussian["pruning"]["by_mean"][0] == gaussian["test_error_percent_mean_weights"]
    assert set(gaussian["gradients"]) == {"trained", "untrained"}
    for name in ("epochs", "gradients", "pruning"):
        assert imread(tmp_path / "pictures" / f"{name}.png").std() > 0.05
    assert bayes_by_backprop.main(**flags) == results  # trains nothing


def test_the_grid_has_nine_mixtures_in_which_any_two_numbers_have_each_pair_of_values_once():
    names = ("wide_share", "wide_stddev", "narrow_stddev")
    points = np.array([[own[name] for name in names] for own in bayes_by_backprop.GRID.values()])
    assert len(points) == 9
    for two in ((0, 1), (0, 2), (1, 2)):
        assert len(np.unique(points[:, two], axis=0)) == 9
    np.testing.assert_allclose(np.unique(points[:, 0]), [1 / 4, 1 / 2, 3 / 4])
    np.testing.assert_allclose(sorted({*-np.log(points[:, 1:]).ravel()}), [0, 1, 2, 6, 7, 8], atol=1e-9)


@pytest.mark.slow
def test_the_grid_tests_on_images_that_are_held_out(on_small_mnist, tmp_path, monkeypatch):
    some = dict(list(bayes_by_backprop.GRID.items())[:2])
    monkeypatch.setattr(bayes_by_backprop, "GRID", some)
    held_out = []
    monkeypatch.setattr(mnist.Dataset, "hold_out", lambda data: held_out.append(data) or (data, data.first(50)))
    flags = {"epochs": 1, "hidden_size": HIDDEN, "draws": 2, "batch_size": 100, "plain": True, "logdir": tmp_path}
    results = bayes_by_backprop.main(grid=True, **flags)
    assert list(results) == list(some)
    assert len(held_out) == 1
    for name, own in some.items():
        assert {key: results[name][key] for key in own} == own
        assert results[name]["held_out"]
        assert results[name]["test_error_percent"] % 1 == 0  # of 50 images: steps of 2 %, averaged over draws
    assert results[name]["train_elbo_nats"] != results[next(iter(some))]["train_elbo_nats"]
