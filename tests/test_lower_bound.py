"""Slides 5-6: the integral, the three forms of the bound, its gap and its gradients, against independent answers."""

import json

import numpy as np
import pytest
from matplotlib.image import imread
from scipy.integrate import dblquad
from scipy.stats import multivariate_normal, norm

from lecture10_vae import lower_bound
from lecture10_vae.tf1 import tf, tfd


@pytest.fixture(params=[False, True], ids=["diagonal", "full"])
def built(request):
    with tf.Graph().as_default(), tf.Session() as session:
        graph = lower_bound.build_graph(full_covariance=request.param)
        session.run(tf.global_variables_initializer())
        for _ in range(150):
            session.run(graph.optimize)
        yield session, graph


def density(z1, z2):
    """P(x,z) of the script's observation, written out."""
    x1, x2 = lower_bound.OBSERVATION
    return norm.pdf(z1) * norm.pdf(z2) * norm.pdf(x1, z1, 1.0) * norm.pdf(x2, z2 - 0.6 * z1**2, 0.3)


def test_integral_on_the_grid_is_that_of_adaptive_quadrature(built):
    session, graph = built
    codes, cell = lower_bound.code_grid()
    _, log_joint, _ = lower_bound.on_grid(session, graph, codes)
    np.testing.assert_allclose(np.exp(log_joint), density(*codes.T.astype(np.float64)), rtol=1e-3, atol=1e-8)
    exact, _ = dblquad(lambda z2, z1: density(z1, z2), -6, 6, -6, 6)
    assert lower_bound.log_integral(log_joint, cell) == pytest.approx(np.log(exact), abs=1e-4)


def test_bound_and_divergence_add_up_to_the_evidence(built):
    session, graph = built
    found = lower_bound.record(session, graph, *lower_bound.code_grid())
    assert found["bound"] + found["divergence"] == pytest.approx(found["evidence"], abs=1e-3)
    assert found["divergence"] > 0.1
    assert (np.abs(found["sampled"] - found["bound"]) < 4 * found["standard_error"]).all()


def test_divergence_to_the_prior_is_in_closed_form(built):
    session, graph = built
    mean, covariance, kl = session.run([graph.mean, graph.covariance, graph.kl])
    closed = 0.5 * (mean @ mean + np.trace(covariance) - 2 - np.log(np.linalg.det(covariance)))
    assert kl == pytest.approx(closed, rel=1e-4)
    codes, cell = lower_bound.code_grid()
    q = multivariate_normal(mean, covariance).logpdf(codes)
    assert kl == pytest.approx((np.exp(q) * cell) @ (q - norm.logpdf(codes).sum(axis=1)), abs=1e-3)


def test_gradients_agree_and_the_path_gradient_varies_less(built):
    session, graph = built
    codes, cell = lower_bound.code_grid()
    found = {
        name: np.array(values) for name, values in lower_bound.compare_gradients(session, graph, codes, cell).items()
    }
    for name in ("path", "score"):
        assert (np.abs(found[f"{name}_mean"] - found["exact"]) < 4.5 * found[f"{name}_error"]).all()
    assert (found["path_variance"] < found["score_variance"]).all()

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
                bounds.append(lower_bound.record(session, graph, codes, cell)["bound"])
            variable.load(value, session)
            differences.append((bounds[0] - bounds[1]) / 0.02)
    np.testing.assert_allclose(found["exact"], differences, atol=0.01)


def test_walk_ends_at_the_exact_posterior_where_it_is_gaussian(monkeypatch):
    monkeypatch.setattr(lower_bound, "make_decoder", lambda code: tfd.MultivariateNormalDiag(code, [1.0, 0.5]))
    with tf.Graph().as_default(), tf.Session() as session:
        graph = lower_bound.build_graph(samples=1_000, learning_rate=0.05)
        session.run(tf.global_variables_initializer())
        for _ in range(800):
            session.run(graph.optimize)
        found = lower_bound.record(session, graph, *lower_bound.code_grid())
    precision = 1 + np.array([1.0, 4.0])
    np.testing.assert_allclose(found["mean"], lower_bound.OBSERVATION * [1, 4] / precision, atol=0.02)
    np.testing.assert_allclose(np.diag(found["covariance"]), 1 / precision, rtol=0.06)
    assert found["evidence"] == pytest.approx(
        norm.logpdf(lower_bound.OBSERVATION, 0, np.sqrt([2.0, 1.25])).sum(), abs=1e-5
    )
    assert 0 <= found["divergence"] < 1e-3


def test_main_walks_up_and_a_wider_family_has_the_smaller_gap(tmp_path, capsys):
    results = lower_bound.main(logdir=tmp_path / "diagonal")
    assert results == json.loads((tmp_path / "diagonal" / "results.json").read_text())
    table = [line.split() for line in capsys.readouterr().out.splitlines() if line.strip()[:1].isdigit()]
    bounds = [float(row[7]) for row in table]
    assert len(bounds) == 11
    assert bounds == sorted(bounds)
    for row in table:
        assert float(row[7]) + float(row[8]) == pytest.approx(float(row[10]), abs=1e-3)
    assert results["bound_nats"] <= results["best_bound_nats"] <= results["log_evidence_nats"]
    assert results["best_bound_nats"] - results["bound_nats"] < 0.05

    full = lower_bound.main(full_covariance=True, logdir=tmp_path / "full")
    assert full["log_evidence_nats"] == pytest.approx(results["log_evidence_nats"], abs=1e-6)
    assert full["best_bound_nats"] > results["best_bound_nats"] + 0.05
    assert full["bound_nats"] > results["bound_nats"] + 0.02
    for name in ("walk", "bound", "decoder"):
        assert imread(tmp_path / "full" / "figures" / f"{name}.png").std() > 0.05


def test_repeated_run_has_one_curve(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    for _ in range(2):
        lower_bound.main(steps=5, logdir=tmp_path)
    events = EventAccumulator(str(tmp_path / "walk")).Reload()
    assert [event.step for event in events.Scalars("bound")] == [0, 1, 2, 5]
