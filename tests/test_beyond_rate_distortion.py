"""beta and collapse: the weighted objective against numpy, its step against the slides', the counts of dimensions."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from lecture10_vae import vae
from lecture10_vae.beyond import importance, rate_distortion
from lecture10_vae.studies import codes
from lecture10_vae.tf1 import tf
from lecture10_vae.utils import mnist
from lecture10_vae.utils.run import Run

# The rate after one epoch with each beta, mean over seeds 0-4, and four of their stddevs to either side
EXPECTED = {0.25: (10.5, 2.2), 4.0: (2.54, 0.6)}


def test_objective_is_reconstruction_less_beta_times_the_closed_form_of_the_divergence(small_mnist):
    images = small_mnist["test"].images[:50]
    with tf.Graph().as_default(), tf.Session() as session:
        model = rate_distortion.build_graph()
        session.run(tf.global_variables_initializer())
        fetches = [model.objective, model.reconstruction, model.mean, model.stddev]
        objective, reconstruction, mean, stddev = session.run(fetches, {model.images: images, model.beta: 3})
        unweighted, elbo = session.run([model.objective, model.elbo], {model.images: images})
    kl = 0.5 * (mean**2 + stddev**2 - 1 - 2 * np.log(stddev)).sum(axis=1)
    np.testing.assert_allclose(objective, reconstruction - 3 * kl, rtol=1e-5)
    np.testing.assert_allclose(unweighted, elbo, rtol=1e-6)


def trained_weights(build_graph, small_mnist):
    """The weights after an epoch, on batches of 100."""
    with tf.Graph().as_default(), tf.Session() as session:
        model = build_graph()
        session.run(tf.global_variables_initializer())
        for batch in mnist.batches(small_mnist["train"], 100, seed=0):
            session.run(model.optimize, {model.images: batch.images})
        return session.run(tf.trainable_variables())


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


def train_one(folder, data, epochs, beta=1.0, rise=0, hidden_size=100, plain=False):
    variant = {"code_size": 2, "beta": beta, "rise": rise, "epochs": epochs, "seed": 0}
    flags = {"batch_size": 100, "hidden_size": hidden_size, "learning_rate": 1e-3, "plain": plain, "logdir": folder}
    return rate_distortion.train_one(variant, flags, data["train"], data["test"], folder / "run")


def test_warm_up_feeds_beta_as_it_rises_also_where_it_was_stopped(tmp_path, small_mnist, monkeypatch):
    fed, stop_at = [], 2
    beta_after, log = rate_distortion.beta_after, Run.log

    def stop(run, session, epoch, **parts):
        if epoch == stop_at:
            raise KeyboardInterrupt
        log(run, session, epoch, **parts)

    monkeypatch.setattr(rate_distortion, "TOGETHER", 10)
    monkeypatch.setattr(rate_distortion, "beta_after", lambda *args: fed.append(beta_after(*args)) or fed[-1])
    monkeypatch.setattr(Run, "log", stop)
    with pytest.raises(KeyboardInterrupt):
        train_one(tmp_path, small_mnist, epochs=3, rise=2, hidden_size=20, plain=True)
    stop_at = None
    by_epoch = train_one(tmp_path, small_mnist, epochs=3, rise=2, hidden_size=20, plain=True)
    np.testing.assert_allclose(fed, [0, 0.25, 0.5, 0.75, 0.5, 0.75, 1, 1])
    assert by_epoch["epoch"] == [0, 1, 2, 3]


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


@pytest.mark.parametrize("beta", EXPECTED)
def test_one_epoch_comes_to_the_rate_that_beta_asks_for(beta, tmp_path):
    data = {part: mnist.load(part) for part in ("train", "test")}
    by_epoch = train_one(tmp_path, data, epochs=1, beta=beta)
    rate, spread = EXPECTED[beta]
    assert by_epoch["kl"][-1] == pytest.approx(rate, abs=spread)
    assert by_epoch["elbo"][-1] == pytest.approx(by_epoch["reconstruction"][-1] - by_epoch["kl"][-1], rel=1e-5)


def test_results_and_pictures_of_all_variants(tmp_path, on_small_mnist, monkeypatch):
    trained = {}

    def pretend(variant, flags, train, test, folder):
        trained[folder.parent.name, folder.name] = variant
        beta, epochs = variant["beta"], variant["epochs"]
        of_epoch = {"elbo": -160.0, "reconstruction": -160 + 6 / beta, "kl": 6 / beta + variant["seed"]}
        of_epoch |= {"dimensions_in_use": 2, "active_units": 2}
        return {name: [value] * (epochs + 1) for name, value in of_epoch.items()} | {"epoch": [*range(epochs + 1)]}

    monkeypatch.setattr(rate_distortion, "train_one", pretend)
    results = rate_distortion.main(epochs=2, long_epochs=3, warm_up=1, seeds=2, logdir=tmp_path)
    assert len(trained) == 2 * 7
    assert [*trained["beta_0.25", "seed_1"].values()] == [2, 0.25, 0, 2, 1]
    assert [*trained["no_warm_up", "seed_0"].values()] == [50, 1.0, 0, 3, 0]
    assert [*trained["warm_up", "seed_1"].values()] == [50, 1.0, 1, 3, 1]
    assert results["by_variant"]["beta_4"]["kl"]["mean"] == [2.0, 2.0, 2.0]
    assert json.loads((tmp_path / "results.json").read_text()) == results
    assert {path.name for path in tmp_path.glob("*.png")} == {"curve.png", "warm_up.png"}


def test_spread_over_seeds():
    spread = rate_distortion.over_seeds([{"elbo": [-3.0, -1.0]}, {"elbo": [-5.0, -1.0]}])["elbo"]
    assert spread == {"mean": [-4.0, -1.0], "stddev": pytest.approx([np.sqrt(2), 0])}
