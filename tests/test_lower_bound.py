"""Slides 5-6: the integral, each form of the bound, and its gap, against independent answers."""

import numpy as np
import pytest
from matplotlib.image import imread
from scipy.integrate import dblquad
from scipy.stats import multivariate_normal, norm

from lecture10_vae import lower_bound
from lecture10_vae.studies import bound_on_grid, evidence
from lecture10_vae.tf1 import tf, tfd
from lecture10_vae.utils.run import read_curves


@pytest.fixture(scope="module", params=[False, True], ids=["diagonal", "full"])
def walked(request):
    """A session and the model after 150 steps, half way to the posterior."""
    with tf.Graph().as_default(), tf.Session() as session:
        model = lower_bound.build_graph(full_covariance=request.param)
        session.run(tf.global_variables_initializer())
        for _ in range(150):
            session.run(model.optimize)
        yield session, model


def density(z1, z2):
    """P(x,z) of the script's observation, written out."""
    x1, x2 = lower_bound.OBSERVATION
    squares = z1**2 + z2**2 + (x1 - z1) ** 2 + ((x2 - (z2 - 0.6 * z1**2)) / 0.3) ** 2
    return np.exp(-squares / 2) / ((2 * np.pi) ** 2 * 0.3)


def test_each_form_of_slide_6_is_made_of_the_densities_at_the_drawn_codes(walked):
    session, model = walked
    fetches = [model.code, model.forms, model.bound, model.mean, model.covariance, model.log_posterior]
    code, forms, bound, mean, covariance, log_posterior = session.run(fetches, {model.num_samples: 500})
    code, covariance = code.astype(np.float64), covariance.astype(np.float64)
    posterior = multivariate_normal(mean, covariance).logpdf(code)
    np.testing.assert_allclose(log_posterior, posterior, atol=1e-4)
    first = np.log(density(*code.T)) - posterior  # ln P(x,z) - ln Q(z), by the joint's definition the second line, too
    np.testing.assert_allclose(forms[0], first, atol=1e-3)
    decoded = np.column_stack([code[:, 0], code[:, 1] - 0.6 * code[:, 0] ** 2])
    log_likelihood = norm.logpdf(lower_bound.OBSERVATION, decoded, [1.0, 0.3]).sum(axis=1)
    np.testing.assert_allclose(forms[0], log_likelihood + norm.logpdf(code).sum(axis=1) - posterior, atol=1e-3)
    divergence = 0.5 * (mean @ mean + np.trace(covariance) - 2 - np.log(np.linalg.det(covariance)))
    np.testing.assert_allclose(forms[1], log_likelihood - divergence, atol=1e-3)
    assert bound == pytest.approx((log_likelihood - divergence).mean(), abs=1e-3)


def test_integral_bound_and_divergences_are_those_of_quadrature(walked):
    session, model = walked
    codes, cell = evidence.code_grid()
    log_joint = bound_on_grid.log_densities(session, model, codes).log_joint
    np.testing.assert_allclose(np.exp(log_joint), density(*codes.T.astype(np.float64)), rtol=1e-3, atol=1e-8)
    exact, _ = dblquad(lambda z2, z1: density(z1, z2), -6, 6, -6, 6)
    assert evidence.log_integral(log_joint, cell) == pytest.approx(np.log(exact), abs=1e-4)

    measured = bound_on_grid.measure(session, model, codes, cell)
    assert measured["bound"] + measured["divergence"] == pytest.approx(measured["evidence"], abs=1e-3)
    assert measured["divergence"] > 0.1
    assert (np.abs(measured["sampled"] - measured["bound"]) < 4 * measured["standard_error"]).all()
    q = multivariate_normal(*session.run([model.mean, model.covariance])).logpdf(codes)
    to_prior = (np.exp(q) * cell) @ (q - norm.logpdf(codes).sum(axis=1))
    assert session.run(model.kl) == pytest.approx(to_prior, abs=1e-3)


def test_walk_ends_at_the_exact_posterior_where_it_is_gaussian(session, monkeypatch):
    monkeypatch.setattr(lower_bound, "make_decoder", lambda code: tfd.MultivariateNormalDiag(code, [1.0, 0.5]))
    model = lower_bound.build_graph(num_samples=1_000, learning_rate=0.05)
    session.run(tf.global_variables_initializer())
    for _ in range(800):
        session.run(model.optimize)
    end = bound_on_grid.measure(session, model, *evidence.code_grid())
    precision = 1 + np.array([1.0, 4.0])
    np.testing.assert_allclose(end["mean"], np.multiply(lower_bound.OBSERVATION, [1, 4]) / precision, atol=0.02)
    np.testing.assert_allclose(np.diag(end["covariance"]), 1 / precision, rtol=0.06)
    log_evidence = norm.logpdf(lower_bound.OBSERVATION, 0, np.sqrt([2.0, 1.25])).sum()
    assert end["evidence"] == pytest.approx(log_evidence, abs=1e-6)
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


def test_main_walks_up_and_a_wider_family_has_the_smaller_gap(tmp_path, monkeypatch, capsys):
    with monkeypatch.context() as patch:
        patch.setattr(lower_bound.pictures, "draw", lambda *_: None)  # takes longer than the walk
        results = lower_bound.main(logdir=tmp_path / "diagonal")
    table = [line.split() for line in capsys.readouterr().out.splitlines() if line.strip()[:1].isdigit()]
    bounds = [float(row[-3]) for row in table]
    assert bounds == sorted(bounds)
    for row in table:
        assert float(row[-1]) == pytest.approx(results["log_evidence_nats"], abs=1e-3)  # of bound and gap the sum
    assert results["best_bound_nats"] - 0.05 < results["bound_nats"] <= results["best_bound_nats"]
    curve = dict(read_curves(tmp_path / "diagonal" / "walk")["bound"])
    assert curve == pytest.approx(dict(zip(lower_bound.RECORDED_STEPS, bounds, strict=True)), abs=1e-3)

    full = lower_bound.main(full_covariance=True, logdir=tmp_path / "full")
    assert full["log_evidence_nats"] == pytest.approx(results["log_evidence_nats"], abs=1e-6)
    assert results["best_bound_nats"] + 0.05 < full["best_bound_nats"] <= full["log_evidence_nats"]
    assert full["bound_nats"] > results["bound_nats"] + 0.02
    for name in ("walk", "bound", "decoder"):
        assert imread(tmp_path / "full" / "pictures" / f"{name}.png").std() > 0.05
