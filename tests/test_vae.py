"""Slides 22-26: each part of the VAE against plain numpy, closed forms and Monte Carlo, on trained weights."""

import json

import numpy as np
import pytest
from matplotlib.image import imread
from scipy.special import expit, logsumexp
from scipy.stats import norm

from lecture10_vae import lower_bound, vae
from lecture10_vae.tf1 import tf, tfd
from lecture10_vae.utils import mnist, plotting


@pytest.fixture(scope="module")
def trained():
    """A VAE after two epochs: its graph, its session, and its weights by name as numpy arrays."""
    train = mnist.load("train")
    with tf.Graph().as_default(), tf.Session() as session:
        graph = vae.build_graph()
        session.run(tf.global_variables_initializer())
        for epoch in range(2):
            for pixels, _ in mnist.batches(train, 100, seed=epoch):
                session.run(graph.optimize, {graph.pixels: pixels})
        weights = {variable.op.name: session.run(variable) for variable in tf.trainable_variables()}
        yield graph, session, weights


def dense(inputs, weights, layer):
    return inputs @ weights[f"{layer}/kernel"].astype(np.float64) + weights[f"{layer}/bias"]


def test_encoder_is_the_network_of_slide_24(trained, small_mnist):
    graph, session, weights = trained
    images = small_mnist["test"].images[:50]
    mean, stddev = session.run([graph.mean, graph.stddev], {graph.images: images})
    hidden = np.maximum(dense(images.reshape(50, 784), weights, "encoder/dense"), 0)
    np.testing.assert_allclose(mean, dense(hidden, weights, "encoder/dense_1"), atol=1e-5)
    np.testing.assert_allclose(stddev, np.log1p(np.exp(dense(hidden, weights, "encoder/dense_2"))), atol=1e-5)


def test_decoder_and_bound_are_those_of_slides_6_and_25(trained, small_mnist):
    graph, session, weights = trained
    images = small_mnist["test"].images[:50]
    tensors = {name: tensor for name, tensor in graph._asdict().items() if isinstance(tensor, tf.Tensor)}
    fetched = session.run(tensors, {graph.pixels: small_mnist["test"].pixels[:50]})

    hidden = np.maximum(dense(fetched["code"], weights, "decoder/dense"), 0)
    probability = expit(dense(hidden, weights, "decoder/dense_1"))
    pixels = images.reshape(50, 784)
    reconstruction = (pixels * np.log(probability) + (1 - pixels) * np.log(1 - probability)).sum(axis=1)
    np.testing.assert_allclose(fetched["reconstruction"], reconstruction, rtol=1e-5)

    mean, stddev = fetched["mean"], fetched["stddev"]
    kl = 0.5 * (mean**2 + stddev**2 - 1 - 2 * np.log(stddev)).sum(axis=1)
    np.testing.assert_allclose(fetched["kl"], kl, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(fetched["elbo"], reconstruction - kl, rtol=1e-5)

    log_prior = norm.logpdf(fetched["code"]).sum(axis=1)
    log_posterior = norm.logpdf(fetched["code"], mean, stddev).sum(axis=1)
    np.testing.assert_allclose(fetched["log_prior"], log_prior, rtol=1e-5)
    np.testing.assert_allclose(fetched["log_weight"], reconstruction + log_prior - log_posterior, rtol=1e-5)


def test_kl_is_the_mean_log_ratio_of_samples(trained, small_mnist):
    graph, session, _ = trained
    image = small_mnist["test"].images[:1]
    kl, mean, stddev = session.run([graph.kl, graph.mean, graph.stddev], {graph.images: image})
    codes = mean + stddev * np.random.default_rng(0).standard_normal((200_000, 2))
    log_ratio = (norm.logpdf(codes, mean, stddev) - norm.logpdf(codes)).sum(axis=1)
    assert kl[0] == pytest.approx(log_ratio.mean(), abs=4 * log_ratio.std() / np.sqrt(len(codes)))


def test_codes_are_drawn_from_the_posterior_anew_each_time(trained, small_mnist):
    graph, session, _ = trained
    image = small_mnist["test"].images[:1]
    codes = np.stack(
        [session.run(graph.code, {graph.images: image, graph.draw: [5, draw]})[0] for draw in range(2_000)]
    )
    mean, stddev = session.run([graph.mean[0], graph.stddev[0]], {graph.images: image})
    np.testing.assert_allclose(codes.mean(axis=0), mean, atol=4 * stddev.max() / np.sqrt(2_000))
    np.testing.assert_allclose(codes.std(axis=0), stddev, rtol=4 / np.sqrt(2 * 2_000))


def test_decoder_has_one_set_of_weights(trained):
    graph, session, weights = trained
    assert sum(name.startswith("decoder") for name in weights) == 4
    assert len(weights) == 10
    prior_samples = session.run(graph.samples)
    codes = session.run(graph.samples.graph.get_tensor_by_name("samples/decoder/dense/MatMul:0").op.inputs[0])
    np.testing.assert_allclose(prior_samples, expit(session.run(graph.logit, {graph.code: codes})), rtol=1e-4)


def test_gradient_reaches_encoder_through_the_sample(trained):
    graph, _, _ = trained
    encoder = [
        variable for variable in graph.elbo.graph.get_collection("trainable_variables") if "encoder" in variable.name
    ]
    with graph.elbo.graph.as_default():
        assert None not in tf.gradients(graph.reconstruction, encoder)


def test_quadrature_agrees_with_importance_sampling(trained, small_mnist):
    graph, session, _ = trained
    images = small_mnist["test"].images[:500]
    quadrature = vae.log_likelihood_by_quadrature(session, graph, images)
    sampled = vae.log_likelihood_by_importance(session, graph, images, draws=5_000)
    assert quadrature.mean() == pytest.approx(sampled.mean(), abs=0.1)
    elbos = [session.run(graph.elbo, {graph.images: images, graph.draw: [draw, 9]}) for draw in range(100)]
    assert quadrature.mean() > np.mean(elbos)


def test_quadrature_is_exact_where_the_answer_is_known():
    # z ~ N(0, I), x = z + 0.3 noise: ln P(x) is the density of N(0, 1.09 I).
    codes, cell = lower_bound.code_grid()
    x = np.array([[0.5, -1.0], [2.0, 0.1]])
    log_joint = norm.logpdf(x[:, None], codes, 0.3).sum(axis=-1) + norm.logpdf(codes).sum(axis=-1)
    exact = norm.logpdf(x, 0, np.sqrt(1.09)).sum(axis=-1)
    np.testing.assert_allclose(lower_bound.log_integral(log_joint, cell), exact, atol=1e-6)


def test_importance_sampling_averages_weights_not_their_logs(trained, small_mnist):
    graph, session, _ = trained
    images = small_mnist["test"].images[:20]
    weights = [session.run(graph.log_weight, {graph.images: images, graph.draw: [draw, -1]}) for draw in range(3)]
    expected = np.log(np.exp(np.float64(weights) - np.max(weights)).mean(axis=0)) + np.max(weights)
    found = vae.log_likelihood_by_importance(session, graph, images, draws=3)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert (found > np.mean(weights, axis=0)).all()
    assert logsumexp(weights, axis=0).shape == (20,)


def test_main_writes_results_and_figures(on_small_mnist, small_mnist, tmp_path):
    results = vae.main(epochs=2, logdir=tmp_path / "run")
    assert results == json.loads((tmp_path / "run" / "results.json").read_text())
    history = json.loads((tmp_path / "run" / "history.json").read_text())
    assert [epoch["epoch"] for epoch in history] == [0, 1, 2]
    elbos = [epoch["test"]["elbo"] for epoch in history]
    assert elbos[0] < elbos[1] < elbos[2] == results["test_elbo_nats"]
    assert results["test_elbo_nats"] == pytest.approx(
        results["test_reconstruction_nats"] - results["test_kl_nats"], abs=1e-3
    )
    assert results["test_log_likelihood_nats"] > results["test_elbo_nats"]
    assert results["epochs"] == 2
    assert results["seed"] == 0
    assert results["seconds"] > 0
    assert "quadrature" in results["log_likelihood_method"]
    assert results["log_likelihood_grid_error_nats"] < 0.3
    for name in ("results", "manifold", "reconstructions"):
        image = imread(tmp_path / "run" / "figures" / f"{name}.png")
        assert min(image.shape[:2]) >= 600
        assert image.std() > 0.1

    # The projector's files, one line or tile an image, named by relative paths.
    projector = tmp_path / "run" / "test"
    assert len((projector / "labels.tsv").read_text().splitlines()) == 1_000
    assert np.loadtxt(projector / "codes.tsv").shape == (1_000, 3)
    assert imread(projector / "digits.png").shape[:2] == (32 * 28, 32 * 28)
    assert str(tmp_path) not in (projector / "projector_config.pbtxt").read_text()


def test_code_of_other_size_is_scored_by_importance_sampling(on_small_mnist, tmp_path):
    results = vae.main(epochs=1, code_size=5, logdir=tmp_path)
    assert "importance sampling, 200 draws" in results["log_likelihood_method"]
    assert results["test_log_likelihood_nats"] > results["test_elbo_nats"]
    assert not (tmp_path / "figures" / "manifold.png").exists()


def test_code_of_one_dimension_trains(on_small_mnist, tmp_path):
    assert np.isfinite(vae.main(epochs=1, code_size=1, logdir=tmp_path)["test_elbo_nats"])


def test_same_seed_gives_the_same_figures_and_another_seed_others(on_small_mnist, tmp_path):
    first, again, other = (
        vae.main(epochs=1, seed=seed, logdir=tmp_path / name) for seed, name in [(3, "a"), (3, "b"), (4, "c")]
    )
    assert first["test_elbo_nats"] == again["test_elbo_nats"]
    assert first["test_log_likelihood_nats"] == again["test_log_likelihood_nats"]
    assert first["test_elbo_nats"] != other["test_elbo_nats"]


def test_results_figure_has_slide_26s_panels():
    rows = [
        (f"Epoch {epoch}", np.random.default_rng(0).normal(size=(50, 2)), np.zeros((10, 28, 28))) for epoch in range(5)
    ]
    figure = plotting.results(rows, np.arange(50) % 10)
    scatters = [
        axes for axes in figure.axes if len(axes.collections) == 1 and len(axes.collections[0].get_offsets()) == 50
    ]
    strips = [axes.images[0].get_array().shape for axes in figure.axes if axes.images]
    assert [axes.get_ylabel() for axes in scatters] == [f"Epoch {epoch}" for epoch in range(5)]
    assert strips == [(28, 280)] * 5


@pytest.mark.parametrize("code_size", [1, 2, 7])
def test_codes_of_any_size_have_a_picture(code_size):
    codes = np.random.default_rng(0).normal(size=(50, code_size))
    assert plotting.to_plane(codes, np.arange(50) % 10).shape == (50, 2)


def test_manifold_and_reconstructions_put_each_image_in_its_place():
    numbered = np.arange(9.0)[:, None, None] * np.ones((9, 28, 28)) / 9
    shown = plotting.manifold(numbered, np.array([-1.0, 0.0, 1.0])).axes[0].images[0].get_array()
    np.testing.assert_allclose(shown[::28, ::28], np.arange(9).reshape(3, 3) / 9)
    images = np.arange(20.0)[:, None, None] * np.ones((20, 28, 28)) / 40
    shown = plotting.reconstructions(images, images + 0.5).axes[0].images[0].get_array()
    np.testing.assert_allclose(shown[::28, ::28][0], np.arange(0, 20, 2) / 40)
    np.testing.assert_allclose(shown[::28, ::28][3], np.arange(1, 20, 2) / 40 + 0.5)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_bound_after_15_epochs_is_as_good_for_other_seeds(seed, tmp_path):
    results = vae.main(seed=seed, logdir=tmp_path)
    assert -159.0 < results["test_elbo_nats"] < -156.5
    assert results["test_log_likelihood_nats"] > results["test_elbo_nats"]


def test_readmes_command_reaches_the_lectures_bound(start_script, tmp_path):
    output, errors = start_script("vae", cwd=tmp_path).communicate(timeout=400)
    assert errors == ""
    lines = output.splitlines()
    assert [line.split()[:2] for line in lines[1:17]] == [["Epoch", str(epoch)] for epoch in range(16)]
    results = json.loads((tmp_path / "runs" / "vae" / "results.json").read_text())
    assert -159.0 < results["test_elbo_nats"] < -156.5
    assert results["test_log_likelihood_nats"] > results["test_elbo_nats"]
    assert results["log_likelihood_grid_error_nats"] < 0.01


def test_prior_is_a_standard_normal():
    with tf.Graph().as_default(), tf.Session() as session:
        prior = vae.make_prior(3)
        assert (prior.batch_shape, prior.event_shape) == ([], [3])
        codes = np.random.default_rng(0).normal(size=(7, 3)).astype(np.float32)
        np.testing.assert_allclose(session.run(prior.log_prob(codes)), norm.logpdf(codes).sum(axis=1), rtol=1e-5)


def test_encoder_of_far_off_image_keeps_kl_finite():
    with tf.Graph().as_default(), tf.Session() as session:
        posterior = vae.make_encoder(tf.fill([1, 28, 28], 1e6))
        kl = tfd.kl_divergence(posterior, vae.make_prior())
        session.run(tf.global_variables_initializer())
        assert np.isfinite(session.run(kl)).all()
