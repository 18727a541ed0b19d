"""Slides 22-26: each part of the VAE against plain numpy, closed forms and Monte Carlo, on trained weights."""

import functools
import json
from types import SimpleNamespace

import matplotlib
import numpy as np
import pytest
from matplotlib.image import imread
from scipy.special import expit, logsumexp
from scipy.stats import norm

from lecture10_vae import vae
from lecture10_vae.pictures import vae as pictures
from lecture10_vae.studies import codes, evidence
from lecture10_vae.tf1 import tf
from lecture10_vae.utils import mnist
from lecture10_vae.utils.run import read_curves, restore
from lectures.source import measure


@pytest.fixture(scope="module")
def trained(vae_run):
    """The VAE of that run: its session, its model, and its weights by layer as numpy arrays."""
    with tf.Graph().as_default(), tf.Session() as session:
        model = vae.build_graph()
        restore(session, vae_run.folder)
        templates = {"encoder": model.encoder, "decoder": model.decoder}
        model.gradients = tf.gradients(model.reconstruction, model.encoder.trainable_variables)
        session.graph.finalize()  # measuring adds nothing to it
        yield session, model, session.run({name: [*each.trainable_variables] for name, each in templates.items()})


def decoded(layers, codes):
    """Slide 25 in numpy, in double precision: the probabilities of the pixels, [N, 784]."""
    hidden, hidden_bias, logit, logit_bias = layers["decoder"]
    return expit(np.maximum(codes.astype(np.float64) @ hidden + hidden_bias, 0) @ logit + logit_bias)


def test_encoder_is_the_network_of_slide_24(trained, small_mnist):
    session, model, layers = trained
    hidden, hidden_bias, mean, mean_bias, stddev, stddev_bias = layers["encoder"]
    images = small_mnist["test"].images[:50]
    encoded = session.run([model.mean, model.stddev], {model.images: images})
    features = np.maximum(images.reshape(50, 784).astype(np.float64) @ hidden + hidden_bias, 0)
    np.testing.assert_allclose(encoded[0], features @ mean + mean_bias, atol=1e-5)
    np.testing.assert_allclose(encoded[1], np.log1p(np.exp(features @ stddev + stddev_bias)), atol=1e-5)


def test_what_is_no_image_has_no_bound(trained, small_mnist):
    session, model, _ = trained
    images = small_mnist["test"].images[:3]
    for wrong in (255 * images, 2 * images - 1, np.full_like(images, np.nan)):
        with pytest.raises(tf.errors.InvalidArgumentError, match="divide bytes by 255"):
            session.run(model.elbo, {model.images: wrong})


@pytest.mark.parametrize("fed", [False, True], ids=["sampled", "fed"])
def test_decoder_and_bound_are_those_of_slides_6_and_25(trained, small_mnist, fed):
    """Of the code that is sampled, and of one that is fed, which is how a draw is held fixed."""
    session, model, layers = trained
    images = small_mnist["test"].images[:50]
    feed = {model.images: images} | ({model.code: np.random.default_rng(0).normal(size=(50, 2))} if fed else {})
    fetches = [model.code, model.mean, model.stddev, model.reconstruction, model.kl, model.elbo]
    code, mean, stddev, reconstruction, kl, elbo = session.run(fetches, feed)
    probability, pixels = decoded(layers, code), images.reshape(50, 784)
    by_hand = (pixels * np.log(probability) + (1 - pixels) * np.log(1 - probability)).sum(axis=1)
    np.testing.assert_allclose(reconstruction, by_hand, rtol=1e-5)
    closed_form = 0.5 * (mean**2 + stddev**2 - 1 - 2 * np.log(stddev)).sum(axis=1)
    np.testing.assert_allclose(kl, closed_form, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(elbo, by_hand - closed_form, rtol=1e-5)

    codes = mean[0] + stddev[0] * np.random.default_rng(0).standard_normal((200_000, 2))
    log_ratio = (norm.logpdf(codes, mean[0], stddev[0]) - norm.logpdf(codes)).sum(axis=1)
    assert kl[0] == pytest.approx(log_ratio.mean(), abs=4 * log_ratio.std() / np.sqrt(len(codes)))


def test_codes_are_sampled_from_the_posterior_anew_for_each_image_and_run(trained, small_mnist):
    session, model, _ = trained
    feed = {model.images: np.repeat(small_mnist["test"].images[:1], 100, axis=0)}
    codes = np.array([session.run(model.code, feed) for _ in range(20)])
    assert len(np.unique(codes[..., 0])) > 1_990
    mean, stddev = (values[0] for values in session.run([model.mean, model.stddev], feed))
    codes = codes.reshape(2_000, 2)
    np.testing.assert_allclose(codes.mean(axis=0), mean, atol=4 * stddev.max() / np.sqrt(2_000))
    np.testing.assert_allclose(codes.std(axis=0), stddev, rtol=4 / np.sqrt(2 * 2_000))


def test_samples_are_decoded_by_the_one_decoder_that_learns_and_gradients_pass_the_code(trained):
    session, model, layers = trained
    assert len(tf.trainable_variables()) == 10
    assert None not in model.gradients
    operations = [each for each in session.graph.get_operations() if each.type == "RandomStandardNormal"]
    (drawn,) = (each.outputs[0] for each in operations if each.name.startswith("samples/"))
    codes, samples = session.run([drawn, model.samples])
    np.testing.assert_allclose(samples.reshape(10, 784), decoded(layers, codes.reshape(10, 2)), rtol=1e-4, atol=1e-6)
    assert (session.run(model.samples) != samples).any()


def test_quadrature_agrees_with_importance_sampling(trained, small_mnist):
    session, model, _ = trained
    images = small_mnist["test"].images[:50]
    measured = evidence.measure(session, model, images)["test_log_likelihood_nats"]
    assert measured == pytest.approx(evidence.by_importance(session, model, images, draws=2_000).mean(), abs=0.1)
    assert measured > vae.evaluate(session, model, images)["elbo"]


def test_quadrature_is_the_sum_over_all_codes_of_the_grid(trained, small_mnist):
    """By numpy, in double precision: what is left out of the sum, and the order of the images, change nothing."""
    session, model, layers = trained
    images = small_mnist["test"].images[:150]  # more than are held at a time
    measured = evidence.by_quadrature(session, model, images, half_width=7.0, points=101)
    for points, values in ((101, measured.log_likelihood), (51, measured.coarse)):
        axis = np.linspace(-7, 7, points)
        codes = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
        probability, ink = decoded(layers, codes), images.reshape(150, -1).astype(np.float64)
        log_likelihood = ink @ np.log(probability).T + (1 - ink) @ np.log1p(-probability).T
        log_joint = log_likelihood + norm.logpdf(codes).sum(axis=1)
        exact = logsumexp(log_joint, axis=1) + 2 * np.log(axis[1] - axis[0])
        np.testing.assert_allclose(values, exact, atol=1e-3)  # of some -160: float32 has seven digits


def test_importance_sampling_averages_weights_not_their_logs(trained, small_mnist, monkeypatch):
    session, model, _ = trained
    run, drawn = session.run, []
    monkeypatch.setattr(session, "run", lambda *arguments: drawn.append(run(*arguments)) or drawn[-1])
    measured = evidence.by_importance(session, model, small_mnist["test"].images[:20], draws=3)
    log_weights = []
    for reconstruction, code, mean, stddev in drawn:
        log_ratio = norm.logpdf(code.astype(np.float64)) - norm.logpdf(code.astype(np.float64), mean, stddev)
        log_weights.append(reconstruction + log_ratio.sum(axis=1))
    expected = np.log(np.exp(log_weights - np.max(log_weights)).mean(axis=0)) + np.max(log_weights)
    np.testing.assert_allclose(measured, expected, rtol=1e-6)
    assert len({code.tobytes() for _, code, *_ in drawn}) == 3


def test_main_writes_results_pictures_and_the_projectors_files(vae_run):
    results, folder = vae_run.results, vae_run.folder
    for part in ("train", "test"):
        curves = read_curves(folder / part)
        assert set(curves) == {"elbo", "reconstruction", "kl"}
        assert [epoch for epoch, _ in curves["elbo"]] == list(range(13))
    elbos = [elbo for _, elbo in curves["elbo"]]
    assert elbos[0] < elbos[1] < elbos[2] < elbos[12] == pytest.approx(results["elbo"], rel=1e-6)
    assert results["elbo"] == pytest.approx(results["reconstruction"] - results["kl"], rel=1e-5)
    assert results["test_log_likelihood_nats"] > results["elbo"]
    assert 0 < results["coarse_grid_error_nats"] < 0.3
    for name in ("results", "manifold", "reconstructions"):
        assert imread(folder / "pictures" / f"{name}.png").std() > 0.1
    config = (folder / "test" / "projector_config.pbtxt").read_text()
    assert str(folder) not in config  # but paths within it, so that it can be moved


def test_notes_find_what_a_run_has_logged(vae_run):
    history = measure.history(vae_run.folder)
    assert [epoch["epoch"] for epoch in history] == list(range(13))
    assert history[-1]["test"] == pytest.approx({name: vae_run.results[name] for name in history[-1]["test"]}, rel=1e-6)
    seconds = [epoch["seconds"] for epoch in history]
    assert 0 < seconds[0] < seconds[-1] < vae_run.results["seconds"] + 1


@pytest.mark.parametrize("code_size", [1, 5])
def test_codes_of_another_size_are_scored_by_importance_sampling(code_size, small_mnist, monkeypatch, tmp_path):
    monkeypatch.setattr(mnist, "load", lambda part, data_dir: small_mnist[part].first(100))
    results = vae.main(epochs=1, code_size=code_size, plain=True, logdir=tmp_path / "run")
    assert results["test_log_likelihood_bound_nats"] > results["elbo"]
    assert {path.stem for path in (tmp_path / "run" / "pictures").iterdir()} == {"results", "reconstructions"}


def test_same_seed_gives_the_same_numbers_and_another_seed_others(small_mnist, vae_alone, monkeypatch, tmp_path):
    monkeypatch.setattr(mnist, "load", lambda part, data_dir: small_mnist[part].first(300))
    for seed, name in [(3, "a"), (3, "b"), (4, "c")]:
        vae.main(epochs=1, seed=seed, plain=True, logdir=tmp_path / name)
    (first, again, other) = (read_curves(tmp_path / name / "test")["elbo"] for name in "abc")
    assert first == again
    assert first[0] != other[0]
    assert first[1] != other[1]


def test_pictures_put_each_code_and_image_in_its_place():
    rows = [("Epoch", np.random.default_rng(row).normal(size=(50, 2)), np.zeros((10, 28, 28))) for row in range(5)]
    scatters = [axes for axes in pictures.draw_results(rows, np.arange(50) % 10).axes if axes.lines]
    for axes, row in zip(scatters, rows, strict=True):
        shown = np.concatenate([line.get_xydata() for line in axes.lines])
        np.testing.assert_array_equal(np.sort(shown, axis=0), np.sort(row[1], axis=0))
        assert (axes.viewLim.min < shown.min(axis=0)).all()
        assert (axes.viewLim.max > shown.max(axis=0)).all()

    grey = functools.partial(matplotlib.colormaps["gray_r"], bytes=True)  # dark for 1
    numbered = np.arange(9.0)[:, None, None] * np.ones((9, 28, 28)) / 9
    shown = pictures.draw_manifold(numbered, np.array([-1.0, 0.0, 1.0])).axes[0].images[0].get_array()
    np.testing.assert_array_equal(shown[::28, ::28], grey(np.arange(9).reshape(3, 3) / 9))
    images = np.arange(20.0)[:, None, None] * np.ones((20, 28, 28)) / 40
    shown = pictures.draw_reconstructions(images, images + 0.5).axes[0].images[0].get_array()
    np.testing.assert_array_equal(shown[::28, ::28][0], grey(np.arange(0, 20, 2) / 40))
    np.testing.assert_array_equal(shown[::28, ::28][3], grey(np.arange(1, 20, 2) / 40 + 0.5))


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))])
def test_readmes_command_reaches_the_lectures_bound(seed, start_script, tmp_path):
    output, errors = start_script("vae", "--seed", seed, cwd=tmp_path).communicate(timeout=400)
    assert errors == ""
    assert [line.split()[0] for line in output.splitlines()[2:18]] == [str(epoch) for epoch in range(16)]
    results = json.loads((tmp_path / "runs" / "vae" / "results.json").read_text())
    # Over seeds 0-5 the mean is -158.2 and the spread 1.2: four spreads to either side
    assert -163.1 < results["elbo"] < -153.3
    assert results["test_log_likelihood_nats"] > results["elbo"]


def test_collapsed_dimensions_are_told_from_those_in_use(session):
    mean, stddev = np.zeros((4, 3), np.float32), np.ones((4, 3), np.float32)
    mean[:, 1] = [-2, 2, -2, 2]
    stddev[:, 2] = 0.5
    images, shown = tf.placeholder(tf.float32, [None, 28, 28]), np.zeros((4, 28, 28))
    model = SimpleNamespace(images=images, mean=tf.constant(mean), stddev=tf.constant(stddev))
    session.graph.finalize()
    by_hand = [0, 2, (0.25 - 1) / 2 + np.log(2)]
    np.testing.assert_allclose(codes.divergences(session, model, shown), by_hand, atol=1e-6)
    assert codes.measure(session, model, shown) == {"dimensions_in_use": 2}
