"""The normaliser that a Bernoulli lacks on grey pixels, and what the notes measure of other densities of pixels."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import entropy, norm

from lecture10_vae import vae
from lecture10_vae.beyond.experiments import grey_pixels, over_seeds
from lecture10_vae.tf1 import tf
from lectures.source import measure


def test_normaliser_makes_a_density_and_is_least_at_one_half(session):
    logits = np.array([-6.0, -0.7, 0.0, 2.5], np.float32)
    added = session.run(grey_pixels.log_normaliser(tf.constant(logits)))
    probability = 1 / (1 + np.exp(-logits.astype(np.float64)))
    masses = [quad(lambda x, p=p: p**x * (1 - p) ** (1 - x), 0, 1)[0] for p in probability]
    np.testing.assert_allclose(added, -np.log(masses), atol=1e-3)
    assert added.argmin() == 2
    assert masses[2] == pytest.approx(0.5)  # so that 784 pixels have a mass of at most 2^-784


def test_no_decoder_does_better_than_the_pixels_entropy(session, small_mnist):
    images = small_mnist["test"].images
    of_each = [entropy([pixels, 1 - pixels]).sum() for pixels in images.reshape(len(images), -1).astype(np.float64)]
    assert grey_pixels.pixel_entropies(images).mean() == pytest.approx(np.mean(of_each))
    np.testing.assert_allclose(grey_pixels.pixel_entropies(images), of_each, atol=1e-6)
    model = vae.build_graph()
    session.run(tf.global_variables_initializer())
    assert (session.run(model.reconstruction, {model.images: images}) < -np.array(of_each)).all()


def test_both_bounds_differ_by_the_normaliser(on_small_mnist, monkeypatch):
    monkeypatch.setattr(grey_pixels, "EPOCHS", 0)
    numbers = grey_pixels.measure(0)
    for trained_on in grey_pixels.TRAINED_ON:
        bound = numbers[trained_on]
        assert bound["continuous_nats"] - bound["bernoulli_nats"] == pytest.approx(bound["normaliser_nats"], rel=1e-4)
        assert bound["normaliser_nats"] > 784 * np.log(2)
        assert bound["bernoulli_nats"] < numbers["highest_nats"] < 0
    assert len(grey_pixels.draw(over_seeds.mean_and_stddev_of_each([numbers] * 2)).axes) == 2


def test_gaussian_decoders_density_is_that_of_its_squared_error(on_small_mnist):
    decoders = measure.gaussian_decoders(seeds=range(2), epochs=0)
    for decoder in decoders.values():
        error, stddev, log_density = (
            decoder[key]["values"][0] for key in ("squared_error", "stddev", "log_density_nats")
        )
        by_hand = 784 * norm.logpdf(0, scale=stddev) - error / (2 * stddev**2)
        assert log_density == pytest.approx(by_hand, rel=1e-4)
    assert decoders["one"]["stddev"]["mean"] == 1
    assert decoders["mean_over_pixels"]["stddev"]["mean"] ** 2 == pytest.approx(784 / 2)


def test_blur_is_the_entropy_of_decoded_samples(on_small_mnist):
    blur = measure.blur_of_samples(seeds=range(2), code_sizes=(2,), epochs=0)
    assert 0.9 * 784 * np.log(2) < blur["by_code_size_nats"]["2"]["mean"] < 784 * np.log(2)  # an untrained decoder's
