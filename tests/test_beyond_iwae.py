"""Burda et al. 2016: bounds, weights and ln P(x) against numpy, closed forms and quadrature; and a short training."""

import json

import numpy as np
import pytest
from scipy.special import log_expit, logsumexp
from scipy.stats import norm

from lecture10_vae.beyond import iwae
from lecture10_vae.studies import evidence, importance, training
from lecture10_vae.tf1 import tf
from lecture10_vae.utils import mnist
from lecture10_vae.utils.command_line import UserError


@pytest.fixture(scope="module")
def black_and_white(small_mnist):
    """The first 2,000 training and 1,000 test images, each pixel black or white."""
    return {part: some._replace(pixels=mnist.binarize(some.pixels, 0)) for part, some in small_mnist.items()}


@pytest.fixture(scope="module")
def trained(black_and_white):
    """A model with a code of two dimensions, whose P(z|x) is not yet narrow after little training; and its session."""
    with tf.Graph().as_default(), tf.Session() as session:
        model = iwae.build_graph(samples=5, code_size=2)
        training.train(session, model.optimize, black_and_white["train"], 10, model.images)
        yield session, model


def log_weights_by_hand(session, model, images, code):
    """ln P(x|z) + ln P(z) - ln Q(z|x) in numpy from logits, means and stddevs, [samples, N]."""
    fetches = [model.posterior.mean(), model.posterior.stddev()]
    mean, stddev = session.run(fetches, {model.images: images})
    logit = session.run(model.decoder(tf.constant(code)).distribution.logits)
    likelihood = (log_expit(np.where(images == 1, logit, -logit))).sum(axis=(2, 3))
    return likelihood + norm.logpdf(code).sum(axis=2) - norm.logpdf(code, mean, stddev).sum(axis=2)


def test_weights_and_bounds_are_those_of_the_paper(trained, black_and_white):
    session, model = trained
    images = black_and_white["test"].images[:30]
    fetches = [model.code, model.log_weight, model.elbo, model.bound]
    code, log_weight, elbo, bound = session.run(fetches, {model.images: images})
    assert code.shape == (5, 30, 2)
    np.testing.assert_allclose(log_weight, log_weights_by_hand(session, model, images, code), rtol=1e-5)
    np.testing.assert_allclose(elbo, log_weight.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(bound, np.log(np.exp(log_weight.astype(float)).mean(axis=0)), rtol=1e-6)


def log_likelihood_by_quadrature(session, model, images):
    """ln P(x) of images by a sum over a grid of codes, [N]."""
    codes, cell = evidence.code_grid(points=161)
    logit = session.run(model.decoder(tf.constant(codes[:, np.newaxis])).distribution.logits).reshape(len(codes), 784)
    prior = norm.logpdf(codes).sum(axis=1)
    joint = images.reshape(-1, 784) @ logit.T + log_expit(-logit).sum(axis=1) + prior
    return logsumexp(joint, axis=1) + np.log(cell)


def test_importance_sampling_gives_the_log_likelihood_of_a_grid_and_its_own_error(trained, black_and_white):
    session, model = trained
    test = black_and_white["test"].first(100)
    exact = log_likelihood_by_quadrature(session, model, test.images)
    of_each = importance.estimate(session, model, test.pixels, 5_000, at_a_time=5)
    error = np.sqrt((of_each.error**2).sum()) / len(exact)
    assert error < 0.02
    assert of_each.log_likelihood.mean() == pytest.approx(exact.mean(), abs=4 * error)
    assert (np.abs(of_each.log_likelihood - exact) < 6 * of_each.error + 0.01).mean() > 0.9
    assert of_each.elbo.mean() + 0.1 < of_each.bound.mean() < exact.mean() - 0.1


def test_error_of_a_mean_weight_is_its_spread_over_repetitions():
    """Of weights exp(s e - s^2 / 2) with e from N(0, 1) the mean is 1."""
    noise = np.random.default_rng(0).standard_normal((400, 2_000))
    log_weights = 0.7 * noise - 0.7**2 / 2
    of_each = importance.summarize(log_weights)
    assert of_each.error.mean() == pytest.approx(of_each.log_likelihood.std(), rel=0.08)
    assert of_each.log_likelihood.mean() == pytest.approx(0, abs=0.005)
    # ln of a mean of k has the bias -(exp(s^2) - 1) / 2k in the first order
    for samples, estimate in ((400, of_each.log_likelihood), (200, of_each.half)):
        bias = -(np.exp(0.7**2) - 1) / (2 * samples)
        assert estimate.mean() == pytest.approx(bias, abs=4 * estimate.std() / np.sqrt(2_000))
    assert of_each.elbo.mean() == pytest.approx(-(0.7**2) / 2, abs=0.01)


def test_groups_average_before_the_logarithm():
    log_weights = np.log([[1.0], [3.0], [2.0], [6.0], [100.0]])
    assert importance.log_mean(log_weights, 2) == pytest.approx((np.log(2) + np.log(4)) / 2)  # the fifth is left over


def test_active_units_are_those_whose_mean_moves_with_the_image():
    means = np.random.default_rng(0).normal(size=[1_000, 4]) * np.sqrt([1, 0.02, 0.005, 0]) + [0, 5, 5, 5]
    assert importance.active_units(means) == 2


def test_pixels_become_white_as_often_as_they_are_grey():
    grey = np.arange(256, dtype=np.uint8)
    binary = mnist.binarize(np.tile(grey, (20_000, 1)), seed=0)
    assert set(np.unique(binary)) == {0, 255}
    chance = grey / 255
    deviation = (binary == 255).mean(axis=0) - chance
    assert np.abs(deviation).max() <= 4.5 * np.sqrt(chance * (1 - chance) / 20_000).max()
    assert (deviation[[0, 255]] == 0).all()


def test_rate_of_the_paper_falls_in_eight_steps_and_the_cosine_to_nothing():
    rates = [iwae.rate("paper", 1e-3, epoch, 3_280) for epoch in range(3_280)]
    values, counts = np.unique(rates, return_counts=True)
    np.testing.assert_allclose(values[::-1], 1e-3 * 10 ** (-np.arange(8) / 7))
    assert counts[::-1].tolist() == [3**i for i in range(8)]
    assert [iwae.rate("cosine", 2, epoch, 4) for epoch in (0, 2, 4)] == pytest.approx([2, 1, 0])


def run(logdir, **options):
    return iwae.main(**{"test_images": 100, "importance_samples": 200, "logdir": logdir} | options)


@pytest.fixture(scope="module")
def finished(small_mnist, tmp_path_factory):
    """The folder of a run on few images, and what it came to."""
    logdir = tmp_path_factory.mktemp("runs") / "finished"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mnist, "load", lambda part, data_dir=None: small_mnist[part])
        return logdir, run(logdir, epochs=3)


@pytest.mark.slow
def test_stopped_run_goes_on_to_the_same_numbers(finished, on_small_mnist, monkeypatch, tmp_path, capsys):
    binarize, calls = mnist.binarize, iter(range(4))  # two of them for the measurements, one for an epoch
    monkeypatch.setattr(mnist, "binarize", lambda *a: binarize(*a) if next(calls, None) is not None else exit())
    with pytest.raises(SystemExit):
        run(tmp_path / "run", epochs=3)
    monkeypatch.setattr(mnist, "binarize", binarize)
    assert run(tmp_path / "run", epochs=3) | {"seconds": 0} == finished[1] | {"seconds": 0}
    assert "going on after epoch" in capsys.readouterr().out
    assert json.loads((tmp_path / "run" / "results.json").read_text())["test_images"] == 100
    assert (tmp_path / "run" / "pictures" / "results.png").exists()


@pytest.mark.slow
def test_run_starts_from_the_weights_of_another(finished, on_small_mnist, tmp_path):
    run(tmp_path / "second", epochs=1, samples=5, start_from=finished[0])
    first, second = (json.loads((path / "history.json").read_text()) for path in (finished[0], tmp_path / "second"))
    assert second[0]["test"]["elbo"] == pytest.approx(first[-1]["test"]["elbo"], abs=0.5)  # by five codes and by one
    config = json.loads((tmp_path / "second" / "config.json").read_text())["start_from"]
    assert (config["samples"], config["epoch"], config["schedule"]) == (1, 3, "cosine, 3 epochs")


def test_wrong_start_is_one_line_and_loses_nothing(finished, on_small_mnist, tmp_path):
    (tmp_path / "empty").mkdir()
    for start in ("none", "empty"):
        with pytest.raises(UserError, match="holds no run of this model"):
            run(finished[0], start_from=tmp_path / start, fresh=True)
    with pytest.raises(UserError, match="is the logdir, too"):
        run(finished[0], start_from=finished[0] / ".." / "finished", fresh=True)
    assert json.loads((finished[0] / "results.json").read_text())["epochs"] == 3


def test_two_epochs_come_as_far_as_four_seeds_did(tmp_path):
    """At a rate of 3e-3 ln P(x) of the first 200 test images was -106.0 in the mean, with a spread of 0.2."""
    numbers = run(tmp_path / "run", epochs=2, learning_rate=3e-3, test_images=200, importance_samples=500)
    assert numbers["test_log_likelihood_nats"] == pytest.approx(-106.0, abs=0.8)
    assert numbers["test_elbo_nats"] == pytest.approx(-110.4, abs=1)


@pytest.mark.parametrize(
    "flag",
    [
        {"objective": "elbo"},
        {"schedule": "linear"},
        {"test_images": 10_001},
        {"importance_samples": 1},
        {"importance_samples": 5, "samples": 10},
    ],
)
def test_wrong_flag_is_one_line(flag, tmp_path):
    with pytest.raises(UserError, match=next(iter(flag))):
        run(tmp_path / "run", **flag)
    assert not (tmp_path / "run").exists()
