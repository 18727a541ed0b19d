"""beta and collapse: the weighted objective against numpy, its step against the slides', the counts of dimensions."""

import json
from types import SimpleNamespace
from unittest.mock import ANY

import numpy as np
import pytest

from lecture10_vae import vae
from lecture10_vae.beyond import rate_distortion
from lecture10_vae.studies import codes, importance, training
from lecture10_vae.tf1 import tf
from lecture10_vae.utils import mnist

# The rate after one epoch with each beta, mean over seeds 0-4, and four of their stddevs to either side
EXPECTED = {0.25: (10.5, 2.2), 4.0: (2.54, 0.6)}


def test_objective_is_reconstruction_less_beta_times_the_closed_form_of_the_divergence(small_mnist):
    images = small_mnist["test"].images[:50]
    with tf.Graph().as_default(), tf.Session() as session:
        model = rate_distortion.build_graph()
        session.run(tf.global_variables_initializer())
        fetches = [model.objective, model.reconstruction, model.mean, model.stddev, model.elbo]
        objective, reconstruction, mean, stddev, elbo = session.run(fetches, {model.images: images, model.beta: 3})
        unweighted = session.run(model.objective, {model.images: images})
    kl = 0.5 * (mean**2 + stddev**2 - 1 - 2 * np.log(stddev)).sum(axis=1)
    np.testing.assert_allclose(objective, reconstruction - 3 * kl, rtol=1e-5)
    np.testing.assert_allclose(unweighted, elbo, rtol=1e-6)


def trained_weights(build_graph, small_mnist):
    """The weights after an epoch, on batches of 100."""
    with tf.Graph().as_default(), tf.Session() as session:
        model = build_graph()
        training.train(session, model.optimize, small_mnist["train"], 1, model.images)
        return [session.run(variable) for variable in tf.trainable_variables()]


def test_step_with_beta_1_is_the_slides(small_mnist):
    ours, slides = (trained_weights(module.build_graph, small_mnist) for module in (rate_distortion, vae))
    assert len(ours) == len(slides) == 10
    for weights, of_slides in zip(ours, slides, strict=True):
        np.testing.assert_allclose(weights, of_slides, atol=1e-5)


@pytest.mark.parametrize("warm_up", [0, 1, 10])
def test_beta_rises_evenly_to_its_value(warm_up):
    for epochs in (0, 0.1, 0.5, 1, 5, 9.9, 10, 40):
        expected = np.interp(epochs, [0, warm_up], [0, 2]) if warm_up else 2
        assert rate_distortion.beta_after(epochs, 2.0, warm_up) == pytest.approx(expected)


def test_warm_up_feeds_beta_as_it_rises(tmp_path, small_mnist, monkeypatch):
    fed = []
    beta_after = rate_distortion.beta_after
    monkeypatch.setattr(rate_distortion, "beta_after", lambda *args: fed.append(beta_after(*args)) or fed[-1])
    flags = {"code_size": 2, "hidden_size": 20, "learning_rate": 1e-3, "seed": 0}
    rate_distortion.train_one(flags, 1.0, 2, 3, 10, tmp_path, small_mnist, False)
    np.testing.assert_allclose(fed, [0, 0.25, 0.5, 0.75, 1, 1])


@pytest.mark.parametrize(("variance", "active", "in_use"), [(0.005, 0, 0), (0.02, 3, 0), (0.17, 3, 0), (0.19, 3, 3)])
def test_counts_differ_by_what_is_said_of_them(variance, active, in_use):
    """Three dimensions whose codes together are distributed as the prior: means of this variance, stddevs alike."""
    mean = np.sqrt(variance) * np.random.default_rng(0).standard_normal((100_000, 3))
    with tf.Graph().as_default(), tf.Session() as session:
        model = SimpleNamespace(images=tf.placeholder(tf.float32, [None]), mean=tf.constant(mean))
        model.stddev = tf.fill(mean.shape, np.sqrt(1 - variance))
        divergences = codes.divergences(session, model, np.zeros(1))
        assert codes.measure(session, model, np.zeros(1)) == {"dimensions_in_use": in_use}
    np.testing.assert_allclose(divergences, -np.log(1 - variance) / 2, rtol=0.03)
    assert importance.active_units(mean) == active


def test_one_epoch_comes_to_the_rate_that_beta_asks_for(tmp_path):
    data = {part: mnist.load(part) for part in ("train", "test")}
    flags = {"code_size": 2, "hidden_size": 100, "learning_rate": 1e-3, "seed": 0}
    for beta, (rate, spread) in EXPECTED.items():
        history = rate_distortion.train_one(flags, beta, 0, 1, 100, tmp_path / str(beta), data, False)
        assert history[-1]["kl"] == pytest.approx(rate, abs=spread)
        assert history[-1]["elbo"] == pytest.approx(history[-1]["reconstruction"] - history[-1]["kl"], rel=1e-5)


@pytest.mark.slow
def test_a_warm_up_that_was_stopped_goes_on_to_the_same_numbers(tmp_path, small_mnist):
    flags = {"code_size": 5, "hidden_size": 20, "learning_rate": 1e-3, "seed": 0}

    def train_to(epochs, folder):
        return rate_distortion.train_one(flags, 1.0, 4, epochs, 100, tmp_path / folder, small_mnist, False)

    train_to(1, "stopped")
    for whole, stopped in zip(train_to(2, "whole"), train_to(2, "stopped"), strict=True):
        assert stopped["elbo"] == pytest.approx(whole["elbo"], rel=1e-6)
        assert stopped["kl"] == pytest.approx(whole["kl"], rel=1e-5)


def test_results_and_pictures_of_all_variants(tmp_path, on_small_mnist, monkeypatch):
    trained = {}

    def pretend(flags, beta, warm_up, epochs, batch_size, logdir, data, fresh):
        trained[logdir.parent.name, logdir.name] = (flags["code_size"], beta, warm_up, epochs)
        of_epoch = {"elbo": -160.0, "reconstruction": -160 + 6 / beta, "kl": 6 / beta + flags["seed"], "seconds": 1.0}
        counts = {"dimensions_in_use": 2, "active_units": 2}
        return [of_epoch | counts | {"epoch": epoch} for epoch in range(epochs + 1)]

    monkeypatch.setattr(rate_distortion, "train_one", pretend)
    results = rate_distortion.main(epochs=2, long_epochs=3, warm_up=1, seeds=2, logdir=tmp_path)
    assert len(trained) == 2 * 7
    assert trained["beta_0.25", "seed_1"] == (2, 0.25, 0, 2)
    assert trained["no_warm_up", "seed_0"] == (50, 1.0, 0, 3)
    assert trained["warm_up", "seed_1"] == (50, 1.0, 1, 3)
    assert results["by_variant"]["beta_4"]["kl"]["mean"] == [2.0, 2.0, 2.0]
    assert json.loads((tmp_path / "results.json").read_text()) == results | {"batch_size": 100, "data": ANY}
    assert {path.name for path in tmp_path.glob("*.png")} == {"curve.png", "warm_up.png"}


def test_spread_over_seeds():
    histories = [[{"elbo": -3.0}, {"elbo": -1.0}], [{"elbo": -5.0}, {"elbo": -1.0}]]
    spread = rate_distortion.over_seeds(histories)["elbo"]
    assert spread == {"mean": [-4.0, -1.0], "stddev": pytest.approx([np.sqrt(2), 0])}
