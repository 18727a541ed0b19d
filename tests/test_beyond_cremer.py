"""The gaps of Cremer et al. and annealed importance sampling, where ln P(x) is known: in closed form, by quadrature."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from lecture10_vae.beyond import annealing, cremer, importance, iwae, suboptimality
from lecture10_vae.tf1 import tf, tfd
from lecture10_vae.utils import mnist
from lecture10_vae.utils.command_line import UserError
from lecture10_vae.utils.run import restore

NOISE = 0.5


def linear_model(weights):
    """x = z W + noise, z from N(0, I): all is Gaussian; `posterior` has the posterior's variances, but mean 0."""
    code_size, pixels = weights.shape
    precision = np.eye(code_size) + weights @ weights.T / NOISE**2
    images = tf.placeholder(tf.float32, [None, pixels])
    prior = tfd.MultivariateNormalDiag(tf.zeros([code_size]), tf.ones([code_size]))
    zeros = tf.zeros_like(images[:, :code_size])
    posterior = tfd.MultivariateNormalDiag(zeros, zeros + np.sqrt(np.diag(np.linalg.inv(precision))).astype("f"))

    def decoder(code):
        return tfd.MultivariateNormalDiag(tf.einsum("kni,ij->knj", code, weights), NOISE * tf.ones([pixels]))

    return SimpleNamespace(**locals())


@pytest.fixture
def linear():
    """The model, eight images of it, and their ln P(x)."""
    rng = np.random.default_rng(0)
    weights = rng.normal(size=[5, 12]).astype(np.float32)
    images = rng.normal(size=[8, 5]) @ weights + NOISE * rng.normal(size=[8, 12])
    exact = multivariate_normal(np.zeros(12), weights.T @ weights + NOISE**2 * np.eye(12)).logpdf(images)
    with tf.Graph().as_default(), tf.Session() as session:
        tf.set_random_seed(0)
        yield session, linear_model(weights), images.astype(np.float32), exact


def test_mean_weight_of_annealing_is_the_evidence_of_a_linear_gaussian_model(linear):
    session, model, images, exact = linear
    start = tfd.MultivariateNormalDiag(model.zeros, tf.ones_like(model.zeros))
    graph = annealing.build_graph(model, start, annealing.schedule(40), chains=1_000)
    annealed = annealing.estimate(session, graph, {model.images: images})
    distance = annealed.log_likelihood - exact
    assert np.abs(distance / annealed.error).max() < 4
    assert abs(distance.mean()) < 4 * np.sqrt((annealed.error**2).mean() / 8) < 0.3
    assert annealed.accepted.mean() > 0.5


def test_best_gaussian_of_a_linear_gaussian_model_is_the_one_of_theory(linear):
    session, model, images, exact = linear
    each_image = cremer.build_graph(model, len(images))
    fetches = [each_image.posterior.mean(), each_image.posterior.stddev()]
    session.run(tf.global_variables_initializer())
    session.graph.finalize()  # so that the search adds nothing to it
    cremer.infer_images(session, each_image, images, np.zeros([8, 5]), np.ones([8, 5]), 400, rate=0.1)
    feed = {model.images: images, each_image.index: np.arange(8)}
    mean, stddev = session.run(fetches, feed)
    # KL[Q||P(z|x)] is least where the means agree, and each precision is the diagonal's element
    precision = model.precision
    np.testing.assert_allclose(mean, images @ model.weights.T / NOISE**2 @ np.linalg.inv(precision), atol=0.03)
    np.testing.assert_allclose(stddev, np.tile(np.diag(precision) ** -0.5, (8, 1)), rtol=0.06)
    gap = (np.log(np.diag(precision)).sum() - np.linalg.slogdet(precision)[1]) / 2
    bound = np.mean([session.run(each_image.elbo, feed) for _ in range(400)], axis=0)
    assert (exact - bound).mean() == pytest.approx(gap, abs=0.05)


@pytest.fixture(scope="module")
def small_model(small_mnist):
    """A decoder with codes of two dimensions, trained a little, ten black and white images, and their ln P(x)."""
    train, images = mnist.binarize(small_mnist["train"].pixels, 0), mnist.binarize(small_mnist["test"].pixels[:10], 0)
    with tf.Graph().as_default(), tf.Session() as session:
        model = iwae.build_graph(code_size=2, hidden_size=50)
        session.run(tf.global_variables_initializer())
        for _ in range(5):
            for some in np.split(train, 20):
                session.run(model.optimize, {model.images: some})
        axis = np.linspace(-6, 6, 121, dtype=np.float32)
        codes = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 1, 2)
        joint = model.decoder(tf.constant(codes)).log_prob(model.images) + model.prior.log_prob(codes)
        rows = [session.run(joint, {model.images: image[np.newaxis]})[:, 0] for image in images]
        yield session, model, images, logsumexp(rows, axis=1) + 2 * np.log(axis[1] - axis[0])


@pytest.mark.slow
def test_all_estimates_meet_the_quadrature_of_a_decoder_of_two_dimensions(small_model):
    session, model, images, exact = small_model
    with session.graph.as_default():
        each_image = cremer.build_graph(model, len(images))
        measures = cremer.build_measures(model, each_image, 50, 10, 60)
    rows = {model.images: images}
    of_each = rows | {each_image.index: np.arange(len(images), dtype=np.int32)}
    mean, stddev = session.run([model.mean, model.stddev], rows)
    cremer.infer_images(session, each_image, images, mean, stddev, steps=150, rate=0.05)
    by_encoder = importance.estimate(session, measures.by_encoder, rows, 2_000)
    by_best = importance.estimate(session, measures.by_best, of_each, 2_000)
    from_best = annealing.estimate(session, measures.from_best, of_each)
    from_prior = annealing.estimate(session, measures.from_prior, rows)
    assert np.abs(from_best.log_likelihood - exact).mean() < 0.1
    for estimate in (by_encoder, by_best, from_best, from_prior):
        assert (np.abs(estimate.log_likelihood - exact) < 4 * estimate.error + 0.05).all()
        assert np.median(estimate.error) < 0.3
    assert (by_encoder.elbo < exact + 4 * by_encoder.elbo_error).all()
    assert (by_best.elbo < exact + 4 * by_best.elbo_error).all()
    assert by_best.elbo.mean() > by_encoder.elbo.mean()


def test_gaps_add_up_and_errors_are_of_the_mean():
    rng = np.random.default_rng(0)
    weighed = [importance.summarize(rng.normal(mean, 1, size=[50, 4])) for mean in (-90, -88)]
    annealed = annealing.Estimate(*rng.normal(-85, 1, size=[2, 4]), np.full(4, 0.2), np.full(4, 0.7))
    some = annealing.Estimate(*(values[:3] for values in annealed))
    numbers = suboptimality.summarize(suboptimality.Measured(*weighed, annealed, some))
    both = numbers["approximation_gap_nats"] + numbers["amortization_gap_nats"]
    assert both == pytest.approx(numbers["inference_gap_nats"])
    assert both == pytest.approx(annealed.log_likelihood.mean() - weighed[0].elbo.mean())
    assert numbers["log_likelihood_sampling_error_nats"] == pytest.approx(0.1)  # 0.2 / sqrt(4)
    of_each = weighed[1].elbo - weighed[0].elbo
    assert numbers["amortization_gap_standard_error_nats"] == pytest.approx(of_each.std(ddof=1) / 2)


@pytest.mark.slow
def test_short_form_measures_the_model_that_was_trained(tmp_path, on_small_mnist):
    k1, out = tmp_path / "k1", tmp_path / "out"
    flags = {"run": k1, "logdir": out, "first": 20, "prior_images": 20, "steps": 100, "importance_samples": 500}
    flags |= {"chains": 4, "distributions": 10, "prior_distributions": 40}
    with pytest.raises(UserError, match="holds no trained model"):
        cremer.main(**flags)
    iwae.main(epochs=2, plain=True, learning_rate=3e-3, test_images=20, importance_samples=50, logdir=k1)
    numbers = cremer.main(**flags)
    assert json.loads((out / "results.json").read_text())["importance_samples"] == 500
    assert {path.name for path in (out / "pictures").iterdir()} == {"gaps.png", "estimates.png"}
    images = mnist.binarize(mnist.load("test").first(20).pixels, iwae.BINARIZATION)
    with tf.Graph().as_default(), tf.Session() as session:
        model = iwae.build_graph()
        restore(session, k1)
        bounds = [session.run(model.elbo, {model.images: images}).mean() for _ in range(100)]
    assert np.mean(bounds) == pytest.approx(numbers["encoder_elbo_nats"], abs=0.3)
    assert 1 < numbers["approximation_gap_nats"] < 9  # after so little training both are large
    assert 1 < numbers["amortization_gap_nats"] < 9
    assert -1 < numbers["annealed_over_from_prior_nats"] < 3
    few = {"first": 5, "prior_images": 2, "steps": 2, "importance_samples": 20, "prior_distributions": 3}
    of_train = cremer.main(**flags | few | {"part": "train", "logdir": tmp_path / "train"})
    images = mnist.binarize(mnist.load("train").first(5).pixels, iwae.BINARIZATION)
    with tf.Graph().as_default(), tf.Session() as session:
        model = iwae.build_graph()
        restore(session, k1)
        bounds = [session.run(model.elbo, {model.images: images}).mean() for _ in range(100)]
    assert np.mean(bounds) == pytest.approx(of_train["encoder_elbo_nats"], abs=3)
    assert (of_train["part"], of_train["images"]) == ("train", 5)
