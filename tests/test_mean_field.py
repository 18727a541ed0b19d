"""Slide 11 with two weights: exact posterior and Gaussians against adaptive quadrature, the grid and a closed form."""

import numpy as np
import pytest
from scipy.integrate import dblquad
from scipy.special import expit

from lecture10_vae.pictures import mean_field as pictures
from lecture10_vae.studies import bound_on_grid, evidence, mean_field
from lecture10_vae.utils import mnist
from lectures.source.measure import mean_and_stddev_of_each


@pytest.fixture(scope="module")
def data():
    return mean_field.two_pixels(mnist.load("train"))


@pytest.fixture(scope="module")
def measured(data):
    return mean_field.measure(*data)


def test_two_pixels_are_those_of_threes_and_fives(small_mnist):
    inputs, labels = mean_field.two_pixels(small_mnist["train"], count=300)
    upper, lower = (small_mnist["train"].pixels[:, row, 9].astype(int) for row in (10, 11))
    drawn = {}
    for digit, label in ((3, 0), (5, 1)):
        of_digit = small_mnist["train"].labels == digit
        drawn[label] = set(zip(upper[of_digit], lower[of_digit], strict=True))
    of_both = np.isin(small_mnist["train"].labels, [3, 5])
    pairs = np.stack([upper, lower], axis=1)[of_both]
    pixels = np.round(inputs * pairs.std(axis=0) + pairs.mean(axis=0)).astype(int)
    assert all(tuple(pair) in drawn[label] for pair, label in zip(pixels.tolist(), labels, strict=True))
    assert 0.3 < labels.mean() < 0.7
    assert np.corrcoef(inputs.T)[0, 1] > 0.6
    assert (np.corrcoef(inputs.T, labels)[2, :2] > 0.2).all()  # where a 5 has its stroke


def test_exact_posterior_is_that_of_adaptive_quadrature(data, measured):
    inputs, labels = (array.astype(np.float64) for array in data)

    def density(second, first):  # a product of Bernoullis and two standard normals, scaled to about 1
        right = expit((2 * labels - 1) * (inputs @ [first, second]))
        return np.exp(np.log(right).sum() + 60 - (first**2 + second**2) / 2) / (2 * np.pi)

    def integral(function):
        box = (-3, 4, -3, 4)
        value, _ = dblquad(lambda b, a: function(a, b) * density(b, a), *box, epsabs=1e-10, epsrel=1e-6)
        return value

    whole = integral(lambda a, b: 1)
    mean = integral(lambda a, b: a) / whole
    assert measured["log_evidence_nats"] == pytest.approx(np.log(whole) - 60, abs=1e-4)
    assert measured["exact"]["weight_mean"][0] == pytest.approx(mean, abs=1e-4)
    variance = integral(lambda a, b: (a - mean) ** 2) / whole
    assert measured["exact"]["weight_stddev"][0] == pytest.approx(np.sqrt(variance), abs=1e-4)


@pytest.mark.parametrize("name", mean_field.FAMILIES)
def test_gradient_ascent_finds_the_gaussian_with_the_best_bound(data, measured, name):
    weights, cell = evidence.code_grid()
    log_joint = mean_field.log_joint(weights, *data)
    best = bound_on_grid.best_in_family(log_joint, weights, cell, mean_field.FAMILIES[name])
    by_grid, by_ascent = mean_field.moments(best.mean, best.covariance), measured[name]
    for key in ("weight_mean", "weight_stddev", "correlation", "sum_stddev", "difference_stddev"):
        np.testing.assert_allclose(by_ascent[key], by_grid[key], atol=0.01)
    # ln P(labels|inputs) is the bound and the gap, each from its own formula
    assert best.bound + by_ascent["gap_nats"] == pytest.approx(measured["log_evidence_nats"], abs=2e-3)


def test_mean_field_is_too_narrow_by_the_closed_form_and_the_full_covariance_is_not(measured):
    narrow, full = measured["mean_field"], measured["full_covariance"]
    assert measured["correlation"] < -0.4  # the pixels have ink together
    np.testing.assert_allclose(narrow["ratio"], measured["predicted_ratio"], rtol=0.06)
    assert max(narrow["ratio"]) < 0.9
    np.testing.assert_allclose(full["ratio"], 1, atol=0.04)
    assert narrow["gap_nats"] > 3 * full["gap_nats"] > 0
    # What the data tell best, the sum, it doubts too much; what they tell least, the difference, too little.
    assert narrow["sum_stddev"] > 1.1 * measured["exact"]["sum_stddev"]
    assert narrow["difference_stddev"] < 0.9 * measured["exact"]["difference_stddev"]


def test_gap_of_two_gaussians_is_in_closed_form():
    mean, covariance = np.array([0.3, -0.2]), np.array([[0.4, -0.2], [-0.2, 0.3]])
    weights, cell = evidence.code_grid()
    off = weights - mean
    log_posterior = -0.5 * np.einsum("ni,ij,nj->n", off, np.linalg.inv(covariance), off)
    log_posterior -= np.log(2 * np.pi) + 0.5 * np.log(np.linalg.det(covariance))
    narrow = np.diag(1 / np.diag(np.linalg.inv(covariance)))
    closed = 0.5 * np.log(np.linalg.det(covariance) / np.linalg.det(narrow))
    assert mean_field.gap(mean, narrow, weights, cell, log_posterior) == pytest.approx(closed, abs=1e-5)
    assert mean_field.gap(mean, covariance, weights, cell, log_posterior) == pytest.approx(0, abs=1e-5)


def test_picture_shows_both_gaussians_around_the_posterior(measured):
    left, right = pictures.draw(mean_and_stddev_of_each([measured, measured])).axes
    assert len(left.lines) == 2
    assert len(right.patches) == 8
    heights = [patch.get_height() for patch in right.patches[:2]]
    np.testing.assert_allclose(heights, measured["mean_field"]["ratio"])
