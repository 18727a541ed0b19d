"""The notes' exercises: each solution reaches its answer, and each known mistake the number that gives it away."""

import functools
import importlib
import inspect

import numpy as np
import pytest
from scipy.stats import norm

from lecture10_vae import vae, variational_inference
from lecture10_vae.studies import gaps
from lecture10_vae.tf1 import tf, tfd
from lecture10_vae.utils import mnist
from lectures.solutions import bayesian_network as of_bayesian_network
from lectures.solutions import lower_bound as of_lower_bound
from lectures.solutions import regression as of_regression
from lectures.solutions import vae as of_vae
from lectures.solutions import variational_inference as of_variational_inference
from lectures.solutions.answers import ANSWERS, Answer

NAMES = [(section, name) for section in ANSWERS for name in ANSWERS[section]]
LN_2_PI = np.log(2 * np.pi)
LN_P_OF_X = -2.4746  # of lower_bound.py, in nats, as the notes have it


@pytest.fixture(autouse=True, scope="module")
def _read_mnist_once():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mnist, "load", functools.cache(mnist.load))
        yield


def solution(section, name):
    return getattr(importlib.import_module(f"lectures.solutions.{section}"), name)


def named(slow=()):
    """A test for each answer, slow for some."""
    params = [pytest.param(*of, marks=pytest.mark.slow if of[1] in slow else ()) for of in NAMES]
    return pytest.mark.parametrize(("section", "name"), params)


@named(slow={"alike_by_code", "weights_to_spare", "accuracy_with_a_low_floor", "best_temperature"})
def test_solution_reaches_its_answer(section, name):
    measured = solution(section, name)()
    assert ANSWERS[section][name].covers(measured), f"{measured}, not {ANSWERS[section][name]}"


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3, 4])
@named()
def test_solution_reaches_its_answer_with_another_seed(section, name, seed):
    if "seed" in inspect.signature(solution(section, name)).parameters:
        measured = solution(section, name)(seed=seed)
        assert ANSWERS[section][name].covers(measured), f"{measured}, not {ANSWERS[section][name]}"


def test_encoder_with_a_covariance_gives_one_and_its_divergence_is_the_closed_form(small_mnist):
    with tf.Graph().as_default(), tf.Session() as session:
        posterior = of_vae.make_encoder_with_covariance(tf.constant(small_mnist["test"].images[:3]))
        kl = tfd.kl_divergence(posterior, vae.make_prior())
        session.run(tf.global_variables_initializer())
        mean, covariance, kl, samples = session.run(
            [posterior.mean(), posterior.covariance(), kl, posterior.sample(100_000, seed=[0, 0])]
        )
    assert np.abs(covariance[:, 0, 1]).min() > 1e-3
    for i in range(3):
        assert kl[i] == pytest.approx(divergence(mean[i], covariance[i]), abs=1e-4)
        np.testing.assert_allclose(np.cov(samples[:, i].T), covariance[i], atol=0.02)


@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.9])
def test_mean_field_gap_is_that_of_the_derivation(correlation):
    assert of_lower_bound.gap_of_mean_field(correlation) == pytest.approx(-np.log(1 - correlation**2) / 2, abs=1e-4)


def test_answer_has_the_digits_of_its_tolerance_and_covers_no_more():
    answers = [Answer(*fields, {}, []) for fields in ((-11.5095, 0.01, "nats"), (793.7, 10, ""), (0.5, 0.001, ""))]
    assert [str(answer) for answer in answers] == ["-11.51 nats", "794", "0.500"]
    numbers = (7.9, 8, 12, 12.1, float("nan"))
    assert [number for number in numbers if Answer(10, 2, "", {}, []).covers(number)] == [8, 12]


# Mistakes made on purpose, in the order of answers.toml


def divergence(mean, covariance, from_mean=0.0, from_covariance=None):
    """KL of a Gaussian from another, the standard normal if none is given, in nats."""
    size = len(covariance)
    mean = np.broadcast_to(np.subtract(mean, from_mean), size)
    of_other = np.eye(size) if from_covariance is None else from_covariance
    inverse, determinants = np.linalg.inv(of_other), np.linalg.det(covariance) / np.linalg.det(of_other)
    return (np.trace(inverse @ covariance) + mean @ inverse @ mean - size - np.log(determinants)) / 2


def expectation(function, mean=0.0, stddev=1.0):
    """Of a function of a normal variable, by Gauss-Hermite quadrature."""
    points, weights = np.polynomial.hermite_e.hermegauss(40)
    return np.sum(weights * function(mean + stddev * points)) / np.sqrt(2 * np.pi)


def bound_of_slide_6(stddev):
    """E_Q[ln P(x|z)] less the divergence, for Q = N(0, stddev^2 I) and lower_bound.py's decoder, in nats."""

    def log_likelihood(first):
        second = expectation(lambda z: norm.logpdf(-0.3, z[:, None] - 0.6 * first**2, 0.3).T, stddev=stddev)
        return second + norm.logpdf(0.8, first, 1)

    points = np.vectorize(lambda first: log_likelihood(np.array([first])).item())
    return expectation(points, stddev=stddev) - divergence(0, stddev**2 * np.eye(2))


def samples_needed(log_ratio, mean, stddev, count=10, error=None):
    """How many log ratios of `count` numbers give their mean to `error`, or to one percent."""
    average = count * expectation(log_ratio, mean, stddev)
    variance = count * (expectation(lambda x: log_ratio(x) ** 2, mean, stddev) - (average / count) ** 2)
    return variance / (error or 0.01 * average) ** 2


def one_way(x):
    return norm.logpdf(x, 1, 0.5) - norm.logpdf(x)


def steps_from_the_prior():
    images = mnist.load("test").images[:100]
    with of_variational_inference.trained_vae(mnist.load("train").first(1_000), 100, seed=0) as (session, model):
        each_image = variational_inference.build_graph(100, decoder=model.decoder)
        elbo_by_step, _ = gaps.infer_images(session, each_image, each_image.infer, images, steps=100)
    return elbo_by_step[100] - elbo_by_step[0]


FACTOR = np.array([[0.5, 0.0], [0.3, 0.4]])
WEIGHT = divergence(0, [[0.0181**2]])
MISTAKES = {
    "gap_of_the_prior": [
        lambda: bound_of_slide_6(1),
        lambda: LN_P_OF_X - bound_of_slide_6(1) - 0.6**2 * (2 - 1) / (2 * 0.3**2),
        lambda: LN_P_OF_X - bound_of_slide_6(np.log1p(np.e)),
    ],
    "gap_when_twice_as_bent": [lambda: of_lower_bound.gap_when_twice_as_bent(0.6)],
    "gap_with_fifty_samples": [lambda: of_lower_bound.gap_with_fifty_samples(1)],
    "gap_of_mean_field": [
        lambda: -np.log(1 - 0.9**2),
        lambda: divergence(0, np.eye(2), 0, np.array([[1, 0.9], [0.9, 1]])),
    ],
    "price_of_a_code": [
        lambda: divergence(1, [[0.01]]),
        lambda: divergence(0, 0.01 * np.eye(2)),
        lambda: divergence([1, -1], 0.1 * np.eye(2)),
        lambda: divergence(0, np.eye(2), [1, -1], 0.01 * np.eye(2)),
    ],
    "won_by_a_hundred_steps": [steps_from_the_prior],
    "more_lost_on_test_images": [lambda: of_variational_inference.won(seed=0)["train"]],
    "bound_without_a_code": [
        lambda: of_vae.bound_without_a_code() / 784,
        lambda: of_vae.bound_without_a_code() * len(mnist.load("test")),
    ],
    "bound_when_averaged_over_pixels": [lambda: of_vae.bound_when_averaged_over_pixels() / 784],
    "alike_by_code": [lambda: of_vae.alike_by_code(20), lambda: of_vae.alike_by_code(2)],
    "divergence_with_a_covariance": [
        lambda: divergence([1, -1], np.diag(np.diag(FACTOR)) ** 2),
        lambda: 2 * divergence([1, -1], FACTOR @ FACTOR.T),
        lambda: divergence([1, -1], FACTOR @ FACTOR.T) + np.log(np.linalg.det(FACTOR)) / 2,
        lambda: divergence(0, FACTOR @ FACTOR.T),
    ],
    "share_of_the_divergence": [lambda: 7_840 * WEIGHT, lambda: WEIGHT, lambda: 7_840 * WEIGHT / 784],
    "weights_to_spare": [
        lambda: of_bayesian_network.weights_to_spare(by_mean=True),
        lambda: 100 - of_bayesian_network.weights_to_spare(),
    ],
    "bound_with_a_better_prior": [lambda: of_bayesian_network.bound_with_a_better_prior(1.0)],
    "divergence_the_other_way": [
        lambda: divergence(1, 0.25 * np.eye(10)),
        lambda: divergence(0, [[1.0]], 1, [[0.25]]),
        lambda: divergence(0, np.eye(10), 1, 0.5 * np.eye(10)),
    ],
    "samples_for_one_percent": [
        lambda: samples_needed(one_way, 1, 0.5, count=1),
        lambda: samples_needed(one_way, 1, 0.5, error=0.01),
        lambda: np.sqrt(samples_needed(one_way, 1, 0.5)),
        lambda: samples_needed(lambda x: -one_way(x), 0, 1),
    ],
    "ratio_of_stddevs": [lambda: 0.5 / np.hypot(2, 0.5), lambda: (2**2 + 0.5**2) / 0.5**2],
    "log_prob_of_knowing_nothing": [
        lambda: -(0.9**2 + 9 * 0.1**2) / 2,
        lambda: -(0.9**2 + 9 * 0.1**2) / 2 - LN_2_PI / 2,
        lambda: -(0.9**2 + 9 * 0.1**2) - 5 * LN_2_PI,
        lambda: 10 * norm.logpdf(0),
    ],
    "log_prob_with_the_best_stddev": [lambda: of_regression.log_prob_with_the_best_stddev() + 5 * LN_2_PI],
    "accuracy_with_a_low_floor": [lambda: of_regression.accuracy_with_a_low_floor(0.2)],
    "log_prob_of_one_confidence": [
        lambda: 0.984 * np.log(0.984) + 0.016 * np.log(0.016),
        lambda: np.log(0.984),
    ],
    "best_temperature": [lambda: 1 / 1.54],
}
SLOW = {
    "gap_with_fifty_samples",
    "gap_when_twice_as_bent",
    "won_by_a_hundred_steps",
    "bound_when_averaged_over_pixels",
    "alike_by_code",
    "weights_to_spare",
    "bound_with_a_better_prior",
    "log_prob_with_the_best_stddev",
    "accuracy_with_a_low_floor",
}


@named(slow=SLOW)
def test_mistake_leads_to_the_number_that_names_it(section, name):
    answer = ANSWERS[section][name]
    own = [mistake for mistake in answer.mistakes if mistake["value"] != -answer.value][: len(MISTAKES.get(name, []))]
    assert len(answer.mistakes) - len(own) == {"nats": 2, "%": 2, "": 1}[answer.unit]  # what the unit invites
    for mistake, make in zip(own, MISTAKES.get(name, []), strict=True):
        assert answer.mistake(made := make()) is mistake, made
        assert not answer.covers(made)


@named()
def test_wrong_sign_bits_and_a_fraction_are_named_but_nothing_that_may_be_right(section, name):
    answer = ANSWERS[section][name]
    invited = {-answer.value} | ({answer.value / 100} if answer.unit == "%" else set())
    invited |= (
        {answer.value / np.log(2)} if answer.unit == "nats" and answer.tolerance < abs(answer.value) / 10 else set()
    )
    assert {answer.mistake(number)["value"] for number in invited} == invited
    right = np.linspace(answer.value - answer.tolerance, answer.value + answer.tolerance, 11)
    assert not any(answer.mistake(number) for number in right)
