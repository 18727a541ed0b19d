"""Slides 27-29: what the Bayesian layer doubts, against numpy's draws, numpy's Adam and the entropies' definitions."""

import functools

import numpy as np
import pytest
from scipy.special import softmax
from scipy.stats import entropy

from lecture10_vae import bayesian_network
from lecture10_vae.pictures import doubt as pictures
from lecture10_vae.studies import doubt, point_estimate, uncertainty
from lecture10_vae.studies.gaps import inverse_softplus
from lecture10_vae.studies.training import train
from lecture10_vae.tf1 import tf
from lectures.source import studies
from lectures.source.measure import mean_and_stddev_of_each


@pytest.fixture
def untrained(small_mnist):
    """A session, a Bayesian layer in it, and the share of training digits that have ink at each pixel."""
    with tf.Graph().as_default(), tf.Session() as session:
        model = bayesian_network.build_graph(2_000)
        session.run(tf.global_variables_initializer())
        yield session, model, doubt.share_of_ink(small_mnist["train"].images)


def test_noise_is_where_its_name_says(small_mnist):
    images = small_mnist["train"].images
    share = doubt.share_of_ink(images)
    assert share[14, 14] == np.mean([image[14, 14] > 0 for image in images])
    noise = doubt.make_noise(share, count=500)
    lit = {name: (of_kind > 0).mean(axis=0) for name, of_kind in noise.items()}
    assert (lit["noise"] > 0.99).all()
    assert ((lit["noise_on_inked"] > 0.99) == (share > 0.05)).all()
    assert ((lit["noise_on_blank"] > 0.99) == (images.sum(axis=0) == 0)).all()
    assert 50 < (lit["noise_on_blank"] > 0).sum() < (lit["noise_on_inked"] > 0).sum() < 784


def test_weights_of_blank_pixels_climb_to_the_prior_at_adams_pace(untrained, small_mnist):
    """Nothing but the divergence moves them: one number by Adam (Kingma, Ba 2014, algorithm 1) does as they do."""
    session, model, share = untrained
    train(session, model.optimize, small_mnist["train"], 5, model.images, model.label, batch_size=20)
    raw, first, second = -4.0, 0.0, 0.0
    for step in range(1, 501):
        stddev, slope = np.log1p(np.exp(raw)), 1 / (1 + np.exp(-raw))
        gradient = (stddev - 1 / stddev) * slope / 2_000  # of KL[N(mean, stddev^2) || N(0, 1)], an image's share
        first, second = 0.9 * first + 0.1 * gradient, 0.999 * second + 0.001 * gradient**2
        raw -= 1e-3 * first / (1 - 0.9**step) / (np.sqrt(second / (1 - 0.999**step)) + 1e-8)
    assert doubt.blank_stddev(session.run(model.stddev), share) == pytest.approx(np.log1p(np.exp(raw)), rel=1e-3)


def test_doubt_on_blank_pixels_is_that_of_their_weights_alone(untrained, small_mnist):
    session, model, share = untrained
    mean, stddev, bias = model.network.trainable_variables
    blank = np.tile((share == 0).reshape(784, 1), 10)
    stddev.load(inverse_softplus(np.where(blank, 0.5, 0.01)), session)
    bias.load(np.linspace(0, 1, 10), session)
    noise = doubt.make_noise(share, count=50)
    predict = functools.partial(bayesian_network.predict, session=session, model=model, draws=300)
    test = small_mnist["test"]
    measured = doubt.measure(predict, test.images, test.labels, noise)

    random, pixels = np.random.default_rng(1), noise["noise_on_blank"].reshape(50, 784)[:, blank[:, 0]]
    drawn = session.run(mean)[blank[:, 0]] + 0.5 * random.standard_normal((300, blank[:, 0].sum(), 10))
    probability = softmax(pixels @ drawn + np.linspace(0, 1, 10), axis=2)
    information = entropy(probability, probability.mean(axis=0), axis=2).mean()  # KL[a draw's answer || the average]
    assert measured["noise_on_blank"]["mutual_information_nats"] == pytest.approx(information, rel=0.1)
    assert measured["noise_on_blank"]["mutual_information_nats"] > 0.5
    assert measured["noise_on_inked"]["mutual_information_nats"] < 0.05 * information
    assert measured["accuracy"] == uncertainty.score(predict(test.images), test.labels)["accuracy"]


def test_ensemble_predicts_as_its_members_do(small_mnist, monkeypatch):
    images = small_mnist["test"].images
    monkeypatch.setattr(doubt, "EPOCHS", (1,))
    members = [studies.train_point_estimate(small_mnist["train"], seed) for seed in (0, 1)]
    with tf.Graph().as_default(), tf.Session() as session:
        placeholder = tf.placeholder(tf.float32, [None, 28, 28])
        point = point_estimate.build_graph(placeholder, tf.placeholder(tf.int32, [None]))
        each = []
        for kernel, bias in members:
            point.kernel.load(kernel, session)
            point.bias.load(bias, session)
            each.append(point_estimate.predict(images, session, point)[0])
    kernels, biases = (np.stack(arrays) for arrays in zip(*members, strict=True))
    np.testing.assert_allclose(doubt.predict_each(images, kernels, biases), each, atol=1e-5)
    assert np.abs(kernels[0] - kernels[1]).max() > 0.1


def test_study_of_a_seed_and_its_picture(on_small_mnist, monkeypatch):
    monkeypatch.setattr(doubt, "EPOCHS", (1, 2))
    numbers = studies.measure_doubt(0)
    assert numbers["by_epoch"]["epoch"] == [1, 2]
    for name in ("digits", "noise", "noise_on_inked", "noise_on_blank"):
        assert numbers["bayesian"][name] == {key: column[-1] for key, column in numbers["by_epoch"][name].items()}
        assert numbers["point_estimate"][name]["mutual_information_nats"] == pytest.approx(0, abs=1e-6)
        assert numbers["ensemble"][name]["mutual_information_nats"] > 0
    upper, _, right = pictures.draw(mean_and_stddev_of_each([numbers, numbers])).axes
    assert len(upper.lines) >= 1
    assert len(right.patches) == 18
