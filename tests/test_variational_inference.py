"""Slides 7-8: a Q(z) for each image, and the gaps between it, the encoder and the exact answer."""

import functools
import json
import shutil

import numpy as np
import pytest
from matplotlib.image import imread
from scipy.special import expit
from scipy.stats import norm

from lecture10_vae import vae, variational_inference
from lecture10_vae.pictures import variational_inference as pictures
from lecture10_vae.studies import evidence, gaps
from lecture10_vae.tf1 import tf
from lecture10_vae.utils import mnist, plotting
from lecture10_vae.utils.command_line import UserError


@pytest.fixture(scope="module")
def vae_logdir(small_mnist, tmp_path_factory):
    """A run folder of vae.py, trained on 2,000 images."""
    folder = tmp_path_factory.mktemp("vae")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mnist, "load", lambda part, data_dir=None: small_mnist[part])
        vae.main(epochs=40, logdir=folder)
    return folder


@pytest.fixture(scope="module")
def trained(vae_logdir):
    """A session and the VAE of that folder."""
    session, model = variational_inference.trained_vae(vae_logdir, None)
    with session, session.graph.as_default():
        yield session, model


@pytest.fixture(scope="module")
def measured(trained, small_mnist):
    """Slide 8 on the first 100 test images, and the decoder's weights before and after."""
    session, model = trained
    before = session.run(model.decoder.trainable_variables)
    with session.graph.as_default():
        each_image = variational_inference.build_graph(100, decoder=model.decoder)
        measured = gaps.measure(session, model, each_image, small_mnist["test"].images[:100])
    return measured, before, session.run(model.decoder.trainable_variables)


def test_gradients_touch_only_the_images_of_the_index(small_mnist):
    images = small_mnist["train"].images
    with tf.Graph().as_default(), tf.Session() as session:
        model = variational_inference.build_graph(50)
        gradients = tf.gradients(model.elbo, model.every_posterior.trainable_variables)
        dense = [tf.convert_to_tensor(gradient) for gradient in gradients]
        session.run(tf.global_variables_initializer())
        chosen = [3, 17, 41]
        for gradient in session.run(dense, {model.images: images[chosen], model.index: chosen}):
            assert gradient.shape == (50, 2)
            assert np.flatnonzero(np.abs(gradient).sum(axis=1)).tolist() == chosen


def test_bound_is_slide_7s(small_mnist):
    images = small_mnist["train"].images[:5]
    with tf.Graph().as_default(), tf.Session() as session:
        model = variational_inference.build_graph(5)
        session.run(tf.global_variables_initializer())
        feed = {model.images: images, model.index: np.arange(5)}
        for _ in range(20):
            session.run(model.optimize, feed)
        fetches = [model.mean, model.stddev, model.code, model.dist.distribution.logits, model.elbo]
        mean, stddev, code, logit, elbo = session.run(fetches, feed)
        raw_mean, raw_stddev = session.run(model.every_posterior.trainable_variables)
    np.testing.assert_allclose(mean, raw_mean)
    np.testing.assert_allclose(stddev, np.log1p(np.exp(raw_stddev)), rtol=1e-4)
    assert np.ptp(stddev) > 0.01
    assert 0 < np.abs((code - mean) / stddev).max() < 5
    reconstruction = np.log(np.where(images > 0, expit(logit), 1)) * images
    reconstruction += np.log(expit(-logit)) * (1 - images)
    kl = 0.5 * (mean**2 + stddev**2 - 1 - 2 * np.log(stddev)).sum(axis=1)
    np.testing.assert_allclose(elbo, reconstruction.sum(axis=(1, 2)) - kl, rtol=1e-4)


def test_evaluation_in_parts_is_that_of_all_images_at_once(small_mnist):
    images, index = small_mnist["train"].images[:1_500], np.arange(1_500)[::-1]  # two parts, one of them smaller
    with tf.Graph().as_default(), tf.Session() as session:
        model = variational_inference.build_graph(1_500)
        session.run(tf.global_variables_initializer())
        mean, _ = model.every_posterior.trainable_variables
        mean.load(np.random.default_rng(0).normal(size=[1_500, 2]), session)
        at_once = session.run(model.elbo, {model.images: images, model.index: index})
        in_parts = variational_inference.evaluate(session, model, images, index)
    np.testing.assert_allclose(in_parts, at_once, rtol=1e-5)


def test_models_in_one_graph_share_a_decoder_only_if_it_is_given(small_mnist):
    images = small_mnist["train"].images[:6]
    with tf.Graph().as_default(), tf.Session() as session:
        first = variational_inference.build_graph(6)
        second = variational_inference.build_graph(6)
        guest = variational_inference.build_graph(6, decoder=first.decoder)
        session.run(tf.global_variables_initializer())

        templates = [
            template for model in (first, second, guest) for template in (model.every_posterior, model.decoder)
        ]
        parts = [template.trainable_variables for template in templates]

        def moved_by(model, step):
            before = session.run(parts)
            session.run(step, {model.images: images, model.index: np.arange(6)})
            return [
                any((old != new).any() for old, new in zip(*part, strict=True))
                for part in zip(before, session.run(parts), strict=True)
            ]

        # Of the first, the second and the guest, each: its posteriors, its decoder.
        assert moved_by(first, first.optimize) == [True, True, False, False, False, True]
        assert moved_by(second, second.optimize) == [False, False, True, True, False, False]
        assert moved_by(guest, guest.infer) == [False, False, False, False, True, False]


def test_gaps_have_the_order_that_theory_gives_them(trained, measured, small_mnist):
    session, model = trained
    images = small_mnist["test"].images[:100]
    measured, weights_before, weights_after = measured
    for before, after in zip(weights_before, weights_after, strict=True):
        np.testing.assert_array_equal(before, after)

    fine, coarse = evidence.by_quadrature(session, model, images, half_width=8.0, points=241)
    elbos = [session.run(model.elbo, {model.images: images, model.noise_seed: [7, draw]}) for draw in range(100)]
    sampling_error = np.std(elbos, axis=0) / np.sqrt(len(elbos))
    for elbo in (measured.encoder_elbo, measured.per_image_elbo):
        assert (elbo <= fine + np.abs(fine - coarse) + 4 * sampling_error + 1e-2).all()
    gain = measured.per_image_elbo - measured.encoder_elbo
    assert gain.mean() > 4 * gain.std() / np.sqrt(len(gain))
    steps = list(measured.elbo_by_step.values())
    assert steps[0] < steps[3] < steps[-1]


def test_a_gaussian_moved_or_stretched_is_worse_than_the_one_inferred(trained, measured, small_mnist):
    session, model = trained
    measured, *_ = measured
    lost = []
    for image in range(10):
        mean, stddev = (values[image].astype(np.float64) for values in measured.per_image)
        around = [(mean, 2 * stddev)]
        codes, log_joint = gaps.posterior_around(session, model, small_mnist["test"].images[image], around)
        cell = np.prod(np.ptp(codes, axis=0) / 100)

        def bound(mean, stddev, codes=codes, log_joint=log_joint, cell=cell):
            """By quadrature."""
            log_posterior = norm.logpdf(codes, mean, stddev).sum(axis=1)
            return (np.exp(log_posterior) * cell) @ (log_joint - log_posterior)

        best = bound(mean, stddev)
        assert best == pytest.approx(measured.per_image_elbo[image], abs=0.5)  # which is from 100 samples
        moved = [(mean + sign * 0.3 * stddev * axis, stddev) for sign in (1, -1) for axis in np.eye(2)]
        stretched = [(mean, stddev * 1.3 ** (sign * axis)) for sign in (1, -1) for axis in np.eye(2)]
        lost.append([best - bound(*other) for other in moved + stretched])
    assert (np.mean(lost, axis=0) > 0.02).all()


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
        assert imread(tmp_path / "pictures" / f"{name}.png").std() > 0.05


def test_second_run_in_the_folder_trains_nothing_and_measures_the_same(
    on_small_mnist, vae_logdir, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(gaps, "infer_images", functools.partial(gaps.infer_images, steps=5))
    monkeypatch.setattr(pictures, "draw", lambda *arguments: None)
    first, second = (
        variational_inference.main(
            epochs=1, train_images=500, test_images=5, logdir=tmp_path / "run", vae_logdir=vae_logdir
        )
        for _ in range(2)
    )
    assert "nothing left to train after epoch 1" in capsys.readouterr().out
    numbers = [name for name in first if name.endswith("_nats") and "_by_step_" not in name]
    assert {name: second[name] for name in numbers} == pytest.approx({name: first[name] for name in numbers}, abs=1e-3)


def test_of_few_test_images_the_digits_there_are_get_a_posterior(trained, measured, small_mnist, monkeypatch, tmp_path):
    drawn = {}
    monkeypatch.setattr(plotting, "save", lambda picture, path: drawn.update({path.name: picture}))
    pictures.draw(*trained, small_mnist["test"].first(3), measured[0], tmp_path)
    assert len(drawn["posteriors.png"].axes) == 3  # a 7, a 2 and a 1


@pytest.mark.parametrize("config", [{"script": "vae", "code_size": 3}, {"script": "regression"}])
def test_run_of_another_model_is_refused(tmp_path, config):
    (tmp_path / "config.json").write_text(json.dumps(config | {"source": {}}))
    with pytest.raises(UserError, match="two dimensions"):
        variational_inference.check_vae(tmp_path, "MNIST, 60,000 images")


def test_vae_of_other_data_or_code_is_refused(vae_logdir, small_mnist, tmp_path):
    data = small_mnist["train"].describe()
    variational_inference.check_vae(vae_logdir, data)
    with pytest.raises(UserError, match=r"holds a VAE of other data \(MNIST, 2,000 images\): give another vae_logdir"):
        variational_inference.check_vae(vae_logdir, "MNIST, 60,000 images")
    config = json.loads((vae_logdir / "config.json").read_text())
    config["source"]["make_decoder in vae.py"] = "another"
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match=r"of other code \(the source has changed since: make_decoder in vae\.py\)"):
        variational_inference.check_vae(tmp_path, data)


def test_vae_stopped_after_more_epochs_than_the_lectures_is_used(vae_logdir, on_small_mnist, tmp_path, capsys):
    shutil.copytree(vae_logdir, tmp_path / "vae")
    (tmp_path / "vae" / "results.json").unlink()
    session, _ = variational_inference.trained_vae(tmp_path / "vae", None)
    session.close()
    assert "nothing left to train after epoch 40" in capsys.readouterr().out


def test_inverse_softplus_inverts_softplus():
    values = np.array([0.01, 1.0, 3.0])
    np.testing.assert_allclose(np.log1p(np.exp(gaps.inverse_softplus(values))), values)
