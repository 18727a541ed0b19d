"""beta: the weighted objective against numpy, its step against the slides', the counts of dimensions."""

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


def test_objective_is_reconstruction_less_beta_times_the_closed_form_of_the_divergence(small_mnist):
    images = small_mnist["test"].images[:50]
    with tf.Graph().as_default(), tf.Session() as session:
        model = rate_distortion.build_graph()
        session.run(tf.global_variables_initializer())
        fetches = [model.objective, model.reconstruction, model.mean, model.stddev]
        objective, reconstruction, mean, stddev = session.run(fetches, {model.images: images, model.beta: 3})
    kl = 0.5 * (mean**2 + stddev**2 - 1 - 2 * np.log(stddev)).sum(axis=1)
    np.testing.assert_allclose(objective, reconstruction - 3 * kl, rtol=1e-5)


def train(build_graph, small_mnist, **feed):
    """The weights after two epochs on batches of 100, and then the rate on test images."""
    with tf.Graph().as_default(), tf.Session() as session:
        model = build_graph()
        session.run(tf.global_variables_initializer())
        feed = {getattr(model, name): value for name, value in feed.items()}
        for epoch in range(2):
            for batch in mnist.batches(small_mnist["train"], 100, [0, epoch]):
                session.run(model.optimize, feed | {model.images: batch.images})
        rate = session.run(model.kl, {model.images: small_mnist["test"].images}).mean()
        return session.run(tf.trainable_variables()), rate


def test_step_with_beta_1_is_the_slides_and_a_larger_beta_saves_rate(small_mnist):
    of_slides, _ = train(vae.build_graph, small_mnist)
    ours, rate = train(rate_distortion.build_graph, small_mnist)
    assert len(ours) == len(of_slides) == 10
    for weights, expected in zip(ours, of_slides, strict=True):
        np.testing.assert_allclose(weights, expected, atol=1e-5)
    (_, low), (_, high) = (train(rate_distortion.build_graph, small_mnist, beta=beta) for beta in (4, 0.25))
    assert low < 0.7 * rate < rate < 0.9 * high


def test_warm_up_feeds_beta_as_it_rises_also_where_it_was_stopped(tmp_path, small_mnist, monkeypatch):
    fed, beta_after, log = [], rate_distortion.beta_after, Run.log
    variant = {"code_size": 2, "beta": 2.0, "rise": 2, "epochs": 3, "seed": 0}
    flags = {"batch_size": 100, "hidden_size": 20, "learning_rate": 1e-3, "plain": True, "logdir": tmp_path}
    given = variant, flags, small_mnist["train"], small_mnist["test"], tmp_path / "run"

    def stop(run, session, epoch, **parts):
        if epoch == 2:
            raise KeyboardInterrupt
        log(run, session, epoch, **parts)

    monkeypatch.setattr(rate_distortion, "TOGETHER", 10)
    monkeypatch.setattr(rate_distortion, "beta_after", lambda *args: fed.append(beta_after(*args)) or fed[-1])
    with monkeypatch.context() as stopping:
        stopping.setattr(Run, "log", stop)
        with pytest.raises(KeyboardInterrupt):
            rate_distortion.train_one(*given)
    by_epoch = rate_distortion.train_one(*given)
    np.testing.assert_allclose(fed, [0, 0.5, 1, 1.5, 1, 1.5, 2, 2])
    assert by_epoch["epoch"] == [0, 1, 2, 3]
    np.testing.assert_allclose(by_epoch["elbo"], np.subtract(by_epoch["reconstruction"], by_epoch["kl"]), rtol=1e-5)
    assert beta_after(0.1, 2.0, 0) == 2  # without a warm-up


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


def test_results_and_pictures_of_all_variants(tmp_path, on_small_mnist, monkeypatch):
    trained = {}

    def pretend(variant, flags, train, test, folder):
        trained[folder.parent.name, folder.name] = [*variant.values()]
        beta, epochs = variant["beta"], variant["epochs"]
        of_epoch = {"elbo": -160.0, "reconstruction": -160 + 6 / beta, "kl": 6 / beta + variant["seed"]}
        of_epoch |= {"dimensions_in_use": 2, "active_units": 2}
        return {name: [value] * (epochs + 1) for name, value in of_epoch.items()} | {"epoch": [*range(epochs + 1)]}

    monkeypatch.setattr(rate_distortion, "train_one", pretend)
    results = rate_distortion.main(epochs=2, long_epochs=3, warm_up=1, seeds=2, logdir=tmp_path)
    assert len(trained) == 2 * 7
    assert trained["beta_0.25", "seed_1"] == [2, 0.25, 0, 2, 1]
    assert trained["no_warm_up", "seed_0"] == [50, 1.0, 0, 3, 0]
    assert trained["warm_up", "seed_1"] == [50, 1.0, 1, 3, 1]
    rate = results["by_variant"]["beta_4"]["kl"]
    assert (rate["mean"], rate["stddev"]) == ([2.0] * 3, pytest.approx([np.sqrt(0.5)] * 3))
    assert json.loads((tmp_path / "results.json").read_text()) == results
    assert {path.name for path in tmp_path.glob("*.png")} == {"curve.png", "warm_up.png"}
