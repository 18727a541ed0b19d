"""Slides 7-8: a Q(z) for each image, and the gaps between it, the encoder and the exact answer."""

import json

import numpy as np
import pytest
from matplotlib.image import imread
from scipy.special import expit

from lecture10_vae import vae, variational_inference
from lecture10_vae.tf1 import tf
from lecture10_vae.utils import plotting
from lecture10_vae.utils.command_line import UserError


@pytest.fixture(scope="module")
def vae_logdir(small_mnist, tmp_path_factory):
    """A run folder of vae.py, trained on 2,000 images."""
    folder = tmp_path_factory.mktemp("vae")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vae.mnist, "load", lambda part, data_dir=None: small_mnist[part])
        vae.main(epochs=40, logdir=folder)
    return folder


def test_gradients_touch_only_the_images_of_the_index(small_mnist):
    images = small_mnist["train"].images
    with tf.Graph().as_default(), tf.Session() as session:
        graph = variational_inference.build_graph(50)
        gradients = tf.gradients(graph.elbo, tf.trainable_variables("posterior"))
        dense = [tf.convert_to_tensor(gradient) for gradient in gradients]
        session.run(tf.global_variables_initializer())
        chosen = [3, 17, 41]
        for gradient in session.run(dense, {graph.images: images[chosen], graph.index: chosen}):
            assert gradient.shape == (50, 2)
            assert np.flatnonzero(np.abs(gradient).sum(axis=1)).tolist() == chosen


def test_bound_is_slide_7s(small_mnist):
    images = small_mnist["train"].images[:5]
    with tf.Graph().as_default(), tf.Session() as session:
        graph = variational_inference.build_graph(5)
        session.run(tf.global_variables_initializer())
        for _ in range(20):
            session.run(graph.optimize, {graph.images: images, graph.index: np.arange(5)})
        fetches = [graph.mean, graph.stddev, graph.code, graph.logit, graph.elbo]
        mean, stddev, code, logit, elbo = session.run(fetches, {graph.images: images, graph.index: np.arange(5)})
        raw = session.run(tf.trainable_variables("posterior"))
    np.testing.assert_allclose(mean, raw[0])
    np.testing.assert_allclose(stddev, np.log1p(np.exp(raw[1])), rtol=1e-4)
    assert np.ptp(stddev) > 0.01
    assert np.abs((code - mean) / stddev).max() < 5
    reconstruction = np.log(np.where(images > 0, expit(logit), 1)) * images
    reconstruction += np.log(expit(-logit)) * (1 - images)
    kl = 0.5 * (mean**2 + stddev**2 - 1 - 2 * np.log(stddev)).sum(axis=1)
    np.testing.assert_allclose(elbo, reconstruction.sum(axis=(1, 2)) - kl, rtol=1e-4)


def test_gaps_have_the_order_that_theory_gives_them(on_small_mnist, small_mnist, vae_logdir):
    images = small_mnist["test"].images[:150]
    with variational_inference.trained_vae(vae_logdir, None) as (vae_session, vae_graph):
        weights = vae_session.run(tf.trainable_variables("decoder"))
        draws = [
            vae_session.run(vae_graph.elbo, {vae_graph.images: images, vae_graph.draw: [7, draw]})
            for draw in range(100)
        ]
        fine, coarse = (
            vae.log_likelihood_by_quadrature(vae_session, vae_graph, images, half_width=8.0, points=points)
            for points in (401, 201)
        )
        with tf.Graph().as_default(), tf.Session() as session:
            graph = variational_inference.build_graph(150)
            for variable, value in zip(tf.trainable_variables("decoder"), weights, strict=True):
                variable.load(value, session)
            found = variational_inference.measure_gaps(session, graph, vae_session, vae_graph, images)
            assert all(
                np.array_equal(value, kept)
                for value, kept in zip(session.run(tf.trainable_variables("decoder")), weights, strict=True)
            )
    grid_error = np.abs(fine - coarse)
    sampling_error = np.std(draws, axis=0) / np.sqrt(len(draws))
    for elbo in (found["encoder_elbo"], found["per_image_elbo"]):
        assert (elbo <= fine + grid_error + 4 * sampling_error + 1e-2).all()
    gain = found["per_image_elbo"] - found["encoder_elbo"]
    assert gain.mean() > 4 * gain.std() / np.sqrt(len(gain))
    bounds = list(found["bounds"].values())
    assert bounds[0] < bounds[3] < bounds[-1]


def test_main_reports_the_gaps(on_small_mnist, vae_logdir, tmp_path):
    results = variational_inference.main(
        epochs=2, train_images=500, test_images=100, logdir=tmp_path, vae_logdir=vae_logdir
    )
    assert results == json.loads((tmp_path / "results.json").read_text())
    exact, best, encoder = (
        results[f"{name}_nats"] for name in ("test_log_likelihood", "per_image_elbo", "encoder_elbo")
    )
    assert results["approximation_gap_nats"] == pytest.approx(exact - best, abs=1e-3)
    assert results["amortization_gap_nats"] == pytest.approx(best - encoder, abs=1e-3)
    assert exact > best > encoder
    assert results["amortization_gap_standard_error_nats"] > 0
    assert results["inference_seconds_per_1000_images"] > 10 * results["encoder_seconds_per_1000_images"]
    history = json.loads((tmp_path / "history.json").read_text())
    assert history[2]["train"]["elbo"] > history[1]["train"]["elbo"] > history[0]["train"]["elbo"]
    for name in ("steps", "posteriors"):
        assert imread(tmp_path / "figures" / f"{name}.png").std() > 0.05


def test_of_few_test_images_the_digits_there_are_get_a_posterior(on_small_mnist, vae_logdir, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(plotting, "save", lambda figure, path: drawn.append((path.name, figure)))
    variational_inference.main(epochs=1, train_images=500, test_images=3, logdir=tmp_path, vae_logdir=vae_logdir)
    posteriors = dict(drawn)["posteriors.png"]
    assert len(posteriors.axes) == 3  # a 7, a 2 and a 1


def test_vae_with_another_code_size_is_refused(on_small_mnist, tmp_path):
    vae.main(epochs=1, code_size=3, logdir=tmp_path / "vae")
    with pytest.raises(UserError, match="two dimensions"), variational_inference.trained_vae(tmp_path / "vae", None):
        pass


def test_inverse_softplus_inverts_softplus():
    values = np.array([0.01, 1.0, 3.0])
    np.testing.assert_allclose(np.log1p(np.exp(variational_inference.inverse_softplus(values))), values)
