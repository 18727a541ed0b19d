"""Slides 8-9: the gaps between the best Q(z) for each image, the encoder's, and the exact answer."""

import json

import numpy as np
import pytest
from matplotlib.image import imread

from lecture10_vae import amortized_inference, variational_inference
from lecture10_vae.each_batch import each_batch
from lecture10_vae.studies import evidence, gaps
from lecture10_vae.tf1 import tf
from lecture10_vae.utils.command_line import UserError
from lecture10_vae.utils.run import read_curves

IMAGES = 50


@pytest.fixture(scope="module")
def trained(vae_run):
    """A session, the VAE of that run, slide 7's model on its decoder, and its step."""
    with tf.Graph().as_default(), tf.Session() as session:
        model = amortized_inference.load_vae(session, vae_run.folder)
        each_image = variational_inference.build_graph(IMAGES, decoder=model.decoder)
        infer = each_batch(each_image.infer, IMAGES, [each_image.images, each_image.index])
        yield session, model, each_image, infer


@pytest.fixture(scope="module")
def measured(trained, small_mnist):
    """Slide 8 on the first test images, measured twice on a graph that must not grow; the decoder before and after."""
    session, model, *_ = trained
    before = session.run(model.decoder.trainable_variables)
    session.graph.finalize()
    first, second = (gaps.measure(*trained, small_mnist["test"].images[:IMAGES]) for _ in range(2))
    session.graph._unsafe_unfinalize()
    np.testing.assert_allclose(first.per_image_elbo, second.per_image_elbo, atol=1e-3)
    for one, other in zip(before, session.run(model.decoder.trainable_variables), strict=True):
        np.testing.assert_array_equal(one, other)
    return first


def test_gaps_have_the_order_that_theory_gives_them(trained, measured, small_mnist):
    session, model, *_ = trained
    images = small_mnist["test"].images[:IMAGES]
    fine, coarse = evidence.by_quadrature(session, model, images, half_width=8.0, points=241)
    elbos = [session.run(model.elbo, {model.images: images}) for _ in range(100)]
    sampling_error = np.std(elbos, axis=0) / np.sqrt(len(elbos))
    for elbo in (measured.encoder_elbo, measured.per_image_elbo):
        assert (elbo <= fine + np.abs(fine - coarse) + 4 * sampling_error + 1e-2).all()
    gain = measured.per_image_elbo - measured.encoder_elbo
    assert gain.mean() > 4 * gain.std() / np.sqrt(len(gain))
    assert (np.abs(np.mean(elbos, axis=0) - measured.encoder_elbo) < 5 * sampling_error + 0.1).mean() > 0.95
    steps = list(measured.elbo_by_step.values())
    assert steps[0] < steps[3] < steps[-1]
    assert steps[-1] == pytest.approx(measured.per_image_elbo.mean(), abs=1.5)  # which no noise of samples holds off


def test_main_reports_the_gaps(on_small_mnist, vae_run, tmp_path):
    results = amortized_inference.main(test_images=60, vae_run=vae_run.folder, logdir=tmp_path / "run")
    exact, best, encoder = (
        results[f"{name}_nats"] for name in ("test_log_likelihood", "per_image_elbo", "encoder_elbo")
    )
    assert exact > best > encoder
    assert results["approximation_gap_nats"] == pytest.approx(exact - best, abs=1e-3)
    assert results["amortization_gap_nats"] == pytest.approx(best - encoder, abs=1e-3)
    assert results["inference_seconds_per_1000_images"] > 10 * results["encoder_seconds_per_1000_images"]
    steps = {str(step): elbo for step, elbo in read_curves(tmp_path / "run" / "test")["elbo"]}
    assert steps == pytest.approx(results["per_image_elbo_by_step_nats"], rel=1e-6)
    for name in ("steps", "posteriors"):
        assert imread(tmp_path / "run" / "pictures" / f"{name}.png").std() > 0.05


@pytest.mark.parametrize("flags", [{}, {"script": "vae", "code_size": 3}, {"script": "regression"}])
def test_run_of_another_model_is_one_line_that_says_how_to_train_one(tmp_path, flags):
    (tmp_path / "flags.json").write_text(json.dumps(flags))
    with pytest.raises(UserError, match=r"^.*.venv/bin/python lecture10_vae/vae\.py.*$"):
        amortized_inference.main(vae_run=tmp_path, logdir=tmp_path / "run")
    assert not (tmp_path / "run").exists()
