"""Slides 13-16: densities, divergences and shapes against what they stand for."""

import json

import numpy as np
import pytest
from matplotlib.image import imread
from scipy.stats import norm

from lecture10_vae import distributions
from lecture10_vae.studies import densities
from lecture10_vae.tf1 import tf


@pytest.fixture
def built(small_mnist):
    features = small_mnist["test"].images[:4].reshape(4, 784)
    with tf.Graph().as_default(), tf.Session() as session:
        model = distributions.build_graph(seed=1)
        session.run(tf.global_variables_initializer())
        yield session, model, features


def test_heads_are_those_of_slide_14(built):
    session, model, features = built
    mean, stddev = session.run([model.mean, model.stddev], {model.features: features})
    variables = [value.astype(np.float64) for value in session.run(tf.trainable_variables())]
    layers = list(zip(variables[::2], variables[1::2], strict=True))  # a kernel and a bias for each
    (kernel, bias), (mean_kernel, mean_bias), (stddev_kernel, stddev_bias) = layers
    hidden = np.maximum(features @ kernel + bias, 0)
    np.testing.assert_allclose(mean, hidden @ mean_kernel + mean_bias, atol=1e-5)
    np.testing.assert_allclose(stddev, np.log1p(np.exp(hidden @ stddev_kernel + stddev_bias)), atol=1e-5)


def test_log_prob_is_the_density(built):
    session, model, features = built
    mean, stddev, samples, log_prob = session.run(
        [model.mean, model.stddev, model.samples, model.log_prob], {model.features: features}
    )
    expected = norm.logpdf(samples.astype(np.float64), mean, stddev).sum(axis=1)
    np.testing.assert_allclose(log_prob, expected, rtol=1e-5)
    np.testing.assert_allclose(densities.written_out_log_prob(samples, mean, stddev), expected, rtol=1e-5)


def test_kl_is_its_closed_form_and_its_monte_carlo_mean(built):
    session, model, features = built
    mean, stddev, kl = session.run([model.mean, model.stddev, model.kl], {model.features: features})
    expected = 0.5 * (mean**2 + stddev**2 - 1 - np.log(stddev**2)).sum(axis=1)
    np.testing.assert_allclose(kl, expected, rtol=1e-4)

    counts, means, errors = densities.monte_carlo_kl(mean[0], stddev[0], samples=100_000)
    assert counts.tolist() == [10, 100, 1_000, 10_000, 100_000]
    assert (np.abs(means - expected[0]) < 4 * errors).all()
    assert errors[-1] == pytest.approx(errors[-2] / np.sqrt(10), rel=0.1)


def test_samples_have_the_distributions_moments(built):
    session, model, features = built
    feed = {model.features: features}
    mean, stddev = session.run([model.mean, model.stddev], feed)
    samples = np.array([session.run(model.samples, feed) for _ in range(2_000)])
    np.testing.assert_allclose(samples.mean(axis=0), mean, atol=5 * stddev.max() / np.sqrt(2_000))
    np.testing.assert_allclose(samples.std(axis=0), stddev, rtol=5 / np.sqrt(2 * 2_000))


def test_shape_table_tells_batch_from_event(built):
    session, model, features = built
    mean, stddev = session.run([model.mean, model.stddev], {model.features: features})
    header, diagonal, normal, independent = densities.shape_table(mean, stddev)
    assert header[1:] == ["batch_shape", "event_shape", "sample()", "sample(5)", "log_prob(sample(5))", "kl_divergence"]
    assert diagonal[1:] == ["[4]", "[10]", "[4, 10]", "[5, 4, 10]", "[5, 4]", "[4]"]
    assert normal[1:] == ["[4, 10]", "[]", "[4, 10]", "[5, 4, 10]", "[5, 4, 10]", "[4, 10]"]
    assert independent[1:] == diagonal[1:]


def test_main_prints_tables_and_draws(on_small_mnist, tmp_path, capsys):
    results = distributions.main(logdir=tmp_path / "run")
    assert results == json.loads((tmp_path / "run" / "results.json").read_text())
    assert results["kl_nats"] == pytest.approx(
        results["monte_carlo_kl_nats"], abs=4 * results["monte_carlo_kl_standard_error_nats"]
    )
    assert results["largest_log_prob_difference_nats"] < 1e-4
    printed = capsys.readouterr().out
    assert "1,000,000" in printed
    assert "Independent(Normal, 1)  [3]          [10]" in printed
    for name in ("densities", "divergence"):
        assert imread(tmp_path / "run" / "pictures" / f"{name}.png").std() > 0.05
