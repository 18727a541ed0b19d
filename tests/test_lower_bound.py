"""Slides 5-6: the integral, the three forms of the bound, its gap and its gradients, against independent answers."""

import functools
import json

import numpy as np
import pytest
from matplotlib.image import imread
from scipy.integrate import dblquad
from scipy.stats import multivariate_normal, norm

from lecture10_vae import lower_bound
from lecture10_vae.studies import bound_on_grid, evidence, gradients
from lecture10_vae.tf1 import tf, tfd


@pytest.fixture(params=[False, True], ids=["diagonal", "full"])
def walked(request):
    """A session and the model after 150 steps, half way to the posterior."""
    with tf.Graph().as_default(), tf.Session() as session:
        model = lower_bound.build_graph(full_covariance=request.param)
        session.run(tf.global_variables_initializer())
        for _ in range(150):
            session.run(model.optimize)
        yield session, model


@pytest.fixture
def few_draws(monkeypatch):
    """Lets main compare the gradients on two draws, which takes no time."""
    monkeypatch.setattr(gradients, "compare", functools.partial(gradients.compare, draws=2))


def density(z1, z2):
    """P(x,z) of the script's observation, written out."""
    x1, x2 = lower_bound.OBSERVATION
    squares = z1**2 + z2**2 + (x1 - z1) ** 2 + ((x2 - (z2 - 0.6 * z1**2)) / 0.3) ** 2
    return np.exp(-squares / 2) / ((2 * np.pi) ** 2 * 0.3)


def test_integral_on_the_grid_is_that_of_adaptive_quadrature(walked):
    session, model = walked
    codes, cell = evidence.code_grid()
    log_joint = bound_on_grid.log_densities(session, model, codes).log_joint
    np.testing.assert_allclose(np.exp(log_joint), density(*codes.T.astype(np.float64)), rtol=1e-3, atol=1e-8)
    exact, _ = dblquad(lambda z2, z1: density(z1, z2), -6, 6, -6, 6)
    assert evidence.log_integral(log_joint, cell) == pytest.approx(np.log(exact), abs=1e-4)


def test_bound_and_divergence_add_up_to_the_evidence(walked):
    session, model = walked
    measured = bound_on_grid.measure(session, model, *evidence.code_grid())
    assert measured["bound"] + measured["divergence"] == pytest.approx(measured["evidence"], abs=1e-3)
    assert measured["divergence"] > 0.1
    assert (np.abs(measured["sampled"] - measured["bound"]) < 4 * measured["standard_error"]).all()


def test_divergence_to_the_prior_is_in_closed_form(walked):
    session, model = walked
    mean, covariance, kl = session.run([model.mean, model.covariance, model.kl])
    closed = 0.5 * (mean @ mean + np.trace(covariance) - 2 - np.log(np.linalg.det(covariance)))
    assert kl == pytest.approx(closed, rel=1e-4)
    codes, cell = evidence.code_grid()
    q = multivariate_normal(mean, covariance).logpdf(codes)
    assert kl == pytest.approx((np.exp(q) * cell) @ (q - norm.logpdf(codes).sum(axis=1)), abs=1e-3)


def test_gradient_estimates_agree_with_the_grids_in_the_mean(walked):
    session, model = walked
    codes, cell = evidence.code_grid()
    compared = gradients.compare(session, model, codes, cell)
    exact = np.array(compared["exact"])
    for name in gradients.ESTIMATES:
        off = np.abs(np.subtract(compared[f"{name}_mean"], exact))
        assert (off < 4.5 * np.array(compared[f"{name}_error"])).all(), name

    # The integral's own derivative, by finite differences of the bound by quadrature.
    differences = []
    for variable in tf.trainable_variables():
        value = session.run(variable)
        for place in np.ndindex(value.shape):
            bounds = []
            for sign in (1, -1):
                moved = np.array(value)
                moved[place] += sign * 0.01
                variable.load(moved, session)
                bounds.append(bound_on_grid.measure(session, model, codes, cell)["bound"])
            variable.load(value, session)
            differences.append((bounds[0] - bounds[1]) / 0.02)
    np.testing.assert_allclose(exact, differences, atol=0.01)


def test_noise_of_the_score_function_is_that_of_the_grid(walked):
    """Its variance E[(f - b)^2 g^2] - E[(f - b) g]^2 by quadrature, with d ln Q(z), here called g, written out."""
    session, model = walked
    codes, cell = evidence.code_grid()
    _, log_joint, log_posterior = bound_on_grid.log_densities(session, model, codes)
    mass, value = np.exp(log_posterior) * cell, (log_joint - log_posterior)[:, np.newaxis]
    mean, covariance = session.run([model.mean, model.covariance])
    score = (codes - mean) @ np.linalg.inv(covariance)  # in the mean, which both families have in common
    baseline = mass @ (score**2 * value) / (mass @ score**2)
    compared = gradients.compare(session, model, codes, cell, draws=4_000)
    for name, weighted in (("score", value * score), ("score_with_baseline", (value - baseline) * score)):
        by_grid = mass @ weighted**2 - (mass @ weighted) ** 2
        np.testing.assert_allclose(compared[f"{name}_variance"][:2], by_grid, rtol=0.3)
    assert np.less(compared["score_with_baseline_variance"], compared["score_variance"]).all()


def test_noise_goes_where_q_is_the_posterior(monkeypatch):
    """There ln P(x,z) - ln Q(z) is ln P(x) for all z; the last form keeps the noise of ln P(x|z), in closed form."""
    stddev = np.array([1.0, 0.5])
    monkeypatch.setattr(lower_bound, "make_decoder", lambda code: tfd.MultivariateNormalDiag(code, [1.0, 0.5]))
    with tf.Graph().as_default(), tf.Session() as session:
        model = lower_bound.build_graph()
        session.run(tf.global_variables_initializer())
        numbers = gradients.measure(session, model, *evidence.code_grid(), draws=3_000)["best"]
        covariance = session.run(model.covariance)
    np.testing.assert_allclose(numbers["path_without_score_variance"], 0, atol=1e-4)
    np.testing.assert_allclose(numbers["score_with_baseline_variance"], 0, atol=1e-3)
    assert min(numbers["path_variance"] + numbers["path_of_first_form_variance"]) > 0.1
    first, second, last = numbers["form_variance"]
    assert first == pytest.approx(0, abs=1e-4)
    assert second == pytest.approx(0, abs=1e-4)
    error = lower_bound.OBSERVATION * (1 - np.diag(covariance) / stddev**2)  # x less the posterior's mean
    closed = (error**2 * np.diag(covariance) / stddev**4 + np.diag(covariance) ** 2 / stddev**4 / 2).sum()
    assert last == pytest.approx(closed, rel=0.15)


def test_walk_ends_at_the_exact_posterior_where_it_is_gaussian(monkeypatch):
    monkeypatch.setattr(lower_bound, "make_decoder", lambda code: tfd.MultivariateNormalDiag(code, [1.0, 0.5]))
    with tf.Graph().as_default(), tf.Session() as session:
        model = lower_bound.build_graph(samples=1_000, learning_rate=0.05)
        session.run(tf.global_variables_initializer())
        for _ in range(800):
            session.run(model.optimize)
        end = bound_on_grid.measure(session, model, *evidence.code_grid())
    precision = 1 + np.array([1.0, 4.0])
    np.testing.assert_allclose(end["mean"], np.multiply(lower_bound.OBSERVATION, [1, 4]) / precision, atol=0.02)
    np.testing.assert_allclose(np.diag(end["covariance"]), 1 / precision, rtol=0.06)
    log_evidence = norm.logpdf(lower_bound.OBSERVATION, 0, np.sqrt([2.0, 1.25])).sum()
    assert end["evidence"] == pytest.approx(log_evidence, abs=1e-5)
    assert 0 <= end["divergence"] < 1e-3


@pytest.mark.parametrize("full_covariance", [False, True])
def test_best_gaussian_for_a_gaussian_posterior_is_in_closed_form(full_covariance):
    """For a posterior of precision L, the best diagonal Gaussian has the variances 1 / L_ii (Bishop 2006, 10.1.2)."""
    mean, covariance, log_evidence = np.array([0.5, -1.0]), np.array([[0.5, 0.4], [0.4, 0.8]]), -3.0
    codes, cell = evidence.code_grid()
    log_joint = multivariate_normal(mean, covariance).logpdf(codes) + log_evidence
    best = bound_on_grid.best_in_family(log_joint, codes, cell, full_covariance)
    variance = 1 / np.diag(np.linalg.inv(covariance))
    gap = 0.0 if full_covariance else 0.5 * (np.log(np.linalg.det(covariance)) - np.log(variance).sum())
    np.testing.assert_allclose(best.mean, mean, atol=1e-3)
    np.testing.assert_allclose(best.covariance, covariance if full_covariance else np.diag(variance), atol=1e-3)
    assert best.bound == pytest.approx(log_evidence - gap, abs=1e-4)


def test_main_walks_up_and_a_wider_family_has_the_smaller_gap(few_draws, tmp_path, capsys):
    results = lower_bound.main(logdir=tmp_path / "diagonal")
    assert results == json.loads((tmp_path / "diagonal" / "results.json").read_text())
    table = [line.split() for line in capsys.readouterr().out.splitlines() if line.strip()[:1].isdigit()]
    bounds = [float(row[-3]) for row in table]
    assert len(bounds) == 11
    assert bounds == sorted(bounds)
    for row in table:
        assert float(row[-1]) == pytest.approx(results["log_evidence_nats"], abs=1e-3)  # of bound and gap the sum
    assert results["bound_nats"] <= results["best_bound_nats"] <= results["log_evidence_nats"]
    assert results["best_bound_nats"] - results["bound_nats"] < 0.05

    full = lower_bound.main(full_covariance=True, logdir=tmp_path / "full")
    assert full["log_evidence_nats"] == pytest.approx(results["log_evidence_nats"], abs=1e-6)
    assert full["best_bound_nats"] > results["best_bound_nats"] + 0.05
    assert full["bound_nats"] > results["bound_nats"] + 0.02
    for name in ("walk", "bound", "decoder"):
        assert imread(tmp_path / "full" / "pictures" / f"{name}.png").std() > 0.05


def test_repeated_run_has_one_curve(few_draws, tmp_path, monkeypatch):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    monkeypatch.setattr(lower_bound.pictures, "draw", lambda *arguments: None)
    for _ in range(2):
        lower_bound.main(steps=5, logdir=tmp_path)
    events = EventAccumulator(str(tmp_path / "walk")).Reload()
    assert [event.step for event in events.Scalars("bound")] == [0, 1, 2, 5]
