"""Burda et al. 2016: bounds, weights and ln P(x) against numpy, closed forms and quadrature; and a short training."""

import numpy as np
import pytest
from scipy.special import log_expit, logsumexp
from scipy.stats import norm

from lecture10_vae.beyond import importance, iwae
from lecture10_vae.studies import evidence
from lecture10_vae.tf1 import tf
from lecture10_vae.utils import mnist
from lecture10_vae.utils.command_line import UserError
from lecture10_vae.utils.run import Run, read_curves


@pytest.fixture(scope="module")
def trained(small_mnist):
    """A session, its model with a code of two dimensions, whose P(z|x) is not yet narrow, and more of its graph."""
    train, test = (mnist.binarize(small_mnist[part].pixels, 0) for part in ("train", "test"))
    with tf.Graph().as_default(), tf.Session() as session:
        model = iwae.build_graph(samples=5, code_size=2)
        log_weights = importance.build_graph(model, [model.images])
        code = tf.placeholder(tf.float32, [None, None, 2])
        logit = model.decoder(code).distribution.logits
        session.run(tf.global_variables_initializer())
        session.graph.finalize()  # so that no measurement adds to it
        for _ in range(10):
            for images in np.split(train, 20):
                session.run(model.optimize, {model.images: images})
        yield session, model, log_weights, lambda given: session.run(logit, {code: given}), test


def test_weights_and_bounds_are_those_of_the_paper(trained):
    session, model, _, decode, test = trained
    fetches = [model.code, model.mean, model.stddev, model.log_weight, model.elbo, model.bound]
    images = test[:30]
    code, mean, stddev, log_weight, elbo, bound = session.run(fetches, {model.images: images})
    assert code.shape == (5, 30, 2)
    logit = decode(code)
    likelihood = log_expit(np.where(images == 1, logit, -logit)).sum(axis=(2, 3))
    by_hand = likelihood + norm.logpdf(code).sum(axis=2) - norm.logpdf(code, mean, stddev).sum(axis=2)
    np.testing.assert_allclose(log_weight, by_hand, rtol=1e-5)
    np.testing.assert_allclose(elbo, log_weight.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(bound, np.log(np.exp(log_weight.astype(float)).mean(axis=0)), rtol=1e-6)


def test_doubly_reparameterized_gradient_is_iwaes_in_the_mean_and_less_noisy(small_mnist):
    images = np.repeat(mnist.binarize(small_mnist["test"].pixels[:1], 0), 100, axis=0)  # a draw each
    with tf.Graph().as_default(), tf.Session() as session:
        model = iwae.build_graph(samples=5, code_size=2, hidden_size=5)
        pairs = iwae.doubly_reparameterize(model)
        variables = [variable for _, variable in pairs]
        plain = tf.gradients(-tf.reduce_mean(model.bound), variables)
        fetches = [[gradient for gradient, _ in pairs], plain]
        session.run(tf.global_variables_initializer())
        for start in range(0, 2_000, 20):
            some = mnist.binarize(small_mnist["train"].pixels[start : start + 20], 0)
            session.run(model.optimize, {model.images: some})
        draws = [session.run(fetches, {model.images: images}) for _ in range(150)]
    of_encoder, noise = sum(variable.name.startswith("encoder") for variable in variables), []
    for place in range(len(variables)):
        dreg, iwaes = (np.array([draw[way][place] for draw in draws], np.float64).reshape(150, -1) for way in (0, 1))
        error = np.sqrt((dreg.var(axis=0) + iwaes.var(axis=0)) / 150)
        assert (np.abs(dreg.mean(axis=0) - iwaes.mean(axis=0)) < 5 * error + 1e-6).all()
        noise.append(dreg.var(axis=0).sum() / iwaes.var(axis=0).sum())
    assert max(noise[:of_encoder]) < 0.9
    assert noise[of_encoder:] == pytest.approx(np.ones(len(noise) - of_encoder), rel=1e-3)


def test_importance_sampling_gives_the_log_likelihood_of_a_grid_and_its_own_error(trained):
    session, model, log_weights, decode, test = trained
    images = test[:90]  # no multiple of those that are weighed at a time
    codes, cell = evidence.code_grid(points=161)
    grid_logit = decode(codes[:, np.newaxis]).reshape(len(codes), 784)
    joint = images.reshape(-1, 784) @ grid_logit.T + log_expit(-grid_logit).sum(axis=1) + norm.logpdf(codes).sum(axis=1)
    exact = logsumexp(joint, axis=1) + np.log(cell)
    of_each = importance.estimate(session, log_weights, {model.images: images}, 5_000, at_a_time=5)
    error = np.sqrt((of_each.error**2).sum()) / len(exact)
    assert error < 0.02
    assert of_each.log_likelihood.mean() == pytest.approx(exact.mean(), abs=4 * error)
    assert (np.abs(of_each.log_likelihood - exact) < 6 * of_each.error + 0.01).mean() > 0.9
    assert of_each.elbo.mean() + 0.1 < of_each.bound.mean() < exact.mean() - 0.1


def test_error_of_a_mean_weight_is_its_spread_over_repetitions():
    """Of weights exp(s e - s^2 / 2) with e from N(0, 1) the mean is 1."""
    noise = np.random.default_rng(0).standard_normal((400, 2_000))
    log_weights = 0.7 * noise - 0.7**2 / 2
    of_each = importance.summarize(log_weights)
    assert of_each.error.mean() == pytest.approx(of_each.log_likelihood.std(), rel=0.08)
    assert of_each.log_likelihood.mean() == pytest.approx(0, abs=0.005)
    # ln of a mean of k has the bias -(exp(s^2) - 1) / 2k in the first order
    for samples, estimate in ((400, of_each.log_likelihood), (200, of_each.half)):
        bias = -(np.exp(0.7**2) - 1) / (2 * samples)
        assert estimate.mean() == pytest.approx(bias, abs=4 * estimate.std() / np.sqrt(2_000))
    assert of_each.elbo.mean() == pytest.approx(-(0.7**2) / 2, abs=0.01)
    np.testing.assert_allclose(of_each.elbo_error, log_weights.std(axis=0, ddof=1) / 20, rtol=1e-6)
    pairs = importance.log_mean(np.log([[1.0], [3.0], [2.0], [6.0], [100.0]]), 2)  # the fifth is left over
    assert pairs == pytest.approx((np.log(2) + np.log(4)) / 2)


def test_rate_of_the_paper_falls_in_eight_steps_and_the_cosine_to_nothing():
    rates = [iwae.rate("paper", 1e-3, epoch, 3_280) for epoch in range(3_280)]
    values, counts = np.unique(rates, return_counts=True)
    np.testing.assert_allclose(values[::-1], 1e-3 * 10 ** (-np.arange(8) / 7))
    assert counts[::-1].tolist() == [3**i for i in range(8)]
    assert [iwae.rate("cosine", 2, epoch, 4) for epoch in (0, 2, 4)] == pytest.approx([2, 1, 0])


def run(logdir, **options):
    return iwae.main(**{"test_images": 100, "importance_samples": 200, "logdir": logdir} | options)


@pytest.mark.slow
def test_a_stopped_run_goes_on_and_another_starts_from_its_weights(on_small_mnist, monkeypatch, tmp_path):
    log = Run.log

    def stop(run, session, epoch, **parts):
        if epoch == last:
            run.write(epoch, **parts)  # as far as it came
            raise KeyboardInterrupt
        log(run, session, epoch, **parts)

    monkeypatch.setattr(Run, "log", stop)
    last = 2
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "run", epochs=3, plain=True)
    for wrong, message in (({"samples": 2}, "--samples 1"), ({"samples": 500}, "--importance-samples 200")):
        with pytest.raises(UserError, match=message):
            run(tmp_path / "run", epochs=3, plain=True, **wrong)
    last = None
    numbers = run(tmp_path / "run", epochs=3, plain=True)
    assert numbers["test_log_likelihood_nats"] > numbers["test_bound_nats"] + 1
    assert (tmp_path / "run" / "pictures" / "results.png").exists()
    first = read_curves(tmp_path / "run" / "test")
    assert [epoch for epoch, _ in first["bound"]] == [0, 1, 2, 3]
    assert first["bound"][3][1] > first["bound"][2][1] > first["bound"][1][1]

    last = 0
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "second", samples=5, plain=True, start_from=tmp_path / "run")
    second = read_curves(tmp_path / "second" / "test")
    assert second["elbo"][0][1] == pytest.approx(first["elbo"][3][1], abs=0.5)  # by five codes and by one


@pytest.mark.slow
def test_two_epochs_come_as_far_as_four_seeds_did(tmp_path):
    """At a rate of 3e-3 ln P(x) of the first 200 test images was -106.0 in the mean, with a spread of 0.2."""
    numbers = run(tmp_path / "run", epochs=2, learning_rate=3e-3, test_images=200, importance_samples=500)
    assert numbers["test_log_likelihood_nats"] == pytest.approx(-106.0, abs=0.8)
    assert numbers["test_elbo_nats"] == pytest.approx(-110.4, abs=1)
