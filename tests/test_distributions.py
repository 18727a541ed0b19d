"""Slides 13-16: densities, divergences and shapes against what they stand for."""

import numpy as np
import pytest
from matplotlib.image import imread
from scipy.stats import norm

from lecture10_vae import distributions
from lecture10_vae.studies import densities
from lecture10_vae.tf1 import tf


@pytest.fixture
def built(session, small_mnist):
    """A session, an untrained model in it, and four images to feed it."""
    model = distributions.build_graph(seed=1)
    session.run(tf.global_variables_initializer())
    return session, model, {model.features: small_mnist["test"].images[:4].reshape(4, 784)}


def test_heads_are_those_of_slide_14(built):
    session, model, feed = built
    mean, stddev = session.run([model.mean, model.stddev], feed)
    kernel, bias, *heads = (value.astype(np.float64) for value in session.run(tf.trainable_variables()))
    hidden = np.maximum(feed[model.features] @ kernel + bias, 0)
    np.testing.assert_allclose(mean, hidden @ heads[0] + heads[1], atol=1e-5)
    np.testing.assert_allclose(stddev, np.log1p(np.exp(hidden @ heads[2] + heads[3])), atol=1e-5)


def test_log_prob_is_the_density_and_kl_its_closed_form_and_monte_carlo_mean(built):
    session, model, feed = built
    fetches = [model.mean, model.stddev, model.samples, model.log_prob, model.kl]
    mean, stddev, samples, log_prob, kl = session.run(fetches, feed)
    expected = norm.logpdf(samples.astype(np.float64), mean, stddev).sum(axis=1)
    np.testing.assert_allclose(log_prob, expected, rtol=1e-5)
    np.testing.assert_allclose(densities.written_out_log_prob(samples, mean, stddev), expected, rtol=1e-5)
    closed_form = 0.5 * (mean**2 + stddev**2 - 1 - np.log(stddev**2)).sum(axis=1)
    np.testing.assert_allclose(kl, closed_form, rtol=1e-4)

    counts, means, errors = densities.monte_carlo_kl(mean[0], stddev[0], samples=100_000)
    assert counts.tolist() == [10, 100, 1_000, 10_000, 100_000]
    assert (np.abs(means - closed_form[0]) < 4 * errors).all()
    assert errors[-1] == pytest.approx(errors[-2] / np.sqrt(10), rel=0.1)


def test_shape_table_tells_batch_from_event(built):
    session, model, feed = built
    mean, stddev = session.run([model.mean, model.stddev], feed)
    header, diagonal, normal, independent = densities.shape_table(mean, stddev)
    assert header[1:] == ["batch_shape", "event_shape", "sample()", "sample(5)", "log_prob(sample(5))", "kl_divergence"]
    assert diagonal[1:] == ["[4]", "[10]", "[4, 10]", "[5, 4, 10]", "[5, 4]", "[4]"]
    assert normal[1:] == ["[4, 10]", "[]", "[4, 10]", "[5, 4, 10]", "[5, 4, 10]", "[4, 10]"]
    assert independent[1:] == diagonal[1:]


def test_main_prints_tables_and_draws(on_small_mnist, tmp_path, capsys):
    results = distributions.main(logdir=tmp_path / "run")
    error = 4 * results["monte_carlo_kl_standard_error_nats"]
    assert results["kl_nats"] == pytest.approx(results["monte_carlo_kl_nats"], abs=error)
    assert results["largest_log_prob_difference_nats"] < 1e-4
    assert "Independent(Normal, 1)  [3]          [10]" in capsys.readouterr().out
    for name in ("densities", "divergence"):
        assert imread(tmp_path / "run" / "pictures" / f"{name}.png").std() > 0.05
