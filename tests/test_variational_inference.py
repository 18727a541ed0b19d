"""Slide 7: a Q(z) for each image, trained together with the decoder."""

import numpy as np
import pytest
from scipy.special import expit

from lecture10_vae import variational_inference
from lecture10_vae.tf1 import tf
from lecture10_vae.utils.run import read_curves, restore


def test_bound_is_slide_7s(session, small_mnist):
    images = small_mnist["train"].images[:5]
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
    assert (code != session.run(model.code, feed)).all()
    reconstruction = np.log(np.where(images > 0, expit(logit), 1)) * images
    reconstruction += np.log(expit(-logit)) * (1 - images)
    kl = 0.5 * (mean**2 + stddev**2 - 1 - 2 * np.log(stddev)).sum(axis=1)
    np.testing.assert_allclose(elbo, reconstruction.sum(axis=(1, 2)) - kl, rtol=1e-4)


def test_posteriors_start_as_the_prior_and_begin_again(session, small_mnist):
    """`begin` starts mu, sigma and their Adam anew, and leaves the decoder as it is."""
    model = variational_inference.build_graph(5)
    session.run(tf.global_variables_initializer())
    feed = {model.images: small_mnist["train"].images[:5], model.index: np.arange(5)}
    mean, stddev = session.run([model.mean, model.stddev], feed)
    np.testing.assert_allclose([mean, stddev], [np.zeros((5, 2)), np.ones((5, 2))], atol=1e-5)
    posteriors = [*model.every_posterior.trainable_variables, *model.inference.variables()]
    others = [variable for variable in tf.global_variables() if variable.ref() not in {v.ref() for v in posteriors}]
    before = session.run(posteriors)
    for _ in range(3):
        session.run(model.optimize, feed)
    trained = session.run(others)
    session.run(model.begin)
    for one, other in zip([*before, *trained], session.run([*posteriors, *others]), strict=True):
        np.testing.assert_array_equal(one, other)


def test_models_in_one_graph_share_a_decoder_only_if_it_is_given(session, small_mnist):
    first, second = variational_inference.build_graph(6), variational_inference.build_graph(6)
    guest = variational_inference.build_graph(6, decoder=first.decoder)
    session.run(tf.global_variables_initializer())
    templates = [each for model in (first, second, guest) for each in (model.every_posterior, model.decoder)]
    parts = [template.trainable_variables for template in templates]

    def moved_by(model, step):
        before = session.run(parts)
        session.run(step, {model.images: small_mnist["train"].images[:6], model.index: np.arange(6)})
        pairs = zip(before, session.run(parts), strict=True)
        return [any((old != new).any() for old, new in zip(*pair, strict=True)) for pair in pairs]

    # Of the first, the second and the guest, each: its posteriors, its decoder.
    assert moved_by(first, first.optimize) == [True, True, False, False, False, True]
    assert moved_by(second, second.optimize) == [False, False, True, True, False, False]
    assert moved_by(guest, guest.infer) == [False, False, False, False, True, False]


def test_main_trains_a_q_for_each_image_and_the_decoder(on_small_mnist, small_mnist, tmp_path, monkeypatch):
    quadrature = variational_inference.evidence.by_quadrature
    few = lambda session, model, images, half_width: quadrature(session, model, images[:100], half_width)  # noqa: E731
    monkeypatch.setattr(variational_inference.evidence, "by_quadrature", few)
    results = variational_inference.main(epochs=60, train_images=500, batch_size=20, logdir=tmp_path / "run")
    elbos = [elbo for _, elbo in read_curves(tmp_path / "run" / "train")["elbo"]]
    assert elbos[0] < elbos[1] < elbos[60] == pytest.approx(results["elbo"], rel=1e-6)
    assert results["elbo"] == pytest.approx(results["reconstruction"] - results["kl"], rel=1e-5)
    assert results["train_log_likelihood_nats"] > results["elbo"]
    assert results["train_log_likelihood_nats"] > results["test_log_likelihood_nats"]  # of images never seen

    with tf.Graph().as_default(), tf.Session() as session:
        model = variational_inference.build_graph(500)
        restore(session, tmp_path / "run")
        images = small_mnist["train"].images[:500]
        bounds = variational_inference.evaluate(session, model, images, np.arange(500))
        assert bounds["kl"] == pytest.approx(results["kl"], rel=1e-5)
        other_way_round = variational_inference.evaluate(session, model, images, np.arange(500)[::-1])
    assert other_way_round["elbo"] < bounds["elbo"] - 10  # each Q(z) is its image's
