"""Slides 17-18: the best constant stddev against a search for it, and both networks against scipy's density."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.stats import norm

from lecture10_vae import regression
from lecture10_vae.studies import learned_stddev
from lecture10_vae.studies.training import train
from lecture10_vae.tf1 import tf


@pytest.fixture(params=[False, True], ids=["stddev 1", "learned"])
def trained(request, small_mnist):
    """A session and a network after five epochs on `small_mnist`."""
    with tf.Graph().as_default(), tf.Session() as session:
        model = regression.build_graph(learn_stddev=request.param)
        train(session, model.optimize, small_mnist["train"], 5, model.images, model.digit, batch_size=50)
        yield session, model


def test_best_constant_stddev_is_the_one_that_a_search_finds(trained, small_mnist):
    session, model = trained
    data, test = small_mnist["train"], small_mnist["test"]
    numbers = learned_stddev.measure(session, model, data, test)
    label = {part: np.eye(10)[of_part.labels] for part, of_part in small_mnist.items()}
    mean = {part: session.run(model.mean, {model.images: of_part.images}) for part, of_part in small_mnist.items()}
    mean = {part: of_part.astype(np.float64) for part, of_part in mean.items()}

    def log_prob(part, stddev):
        return norm.logpdf(label[part], mean[part], stddev).sum(axis=1).mean()

    searched = minimize_scalar(lambda stddev: -log_prob("train", stddev), bounds=(0.05, 2), options={"xatol": 1e-6})
    assert numbers["constant_stddev"] == pytest.approx(searched.x, rel=1e-3)
    assert numbers["constant_log_prob_nats"] == pytest.approx(log_prob("test", searched.x), abs=1e-3)
    stddev = session.run(model.stddev, {model.images: test.images})
    assert numbers["log_prob_nats"] == pytest.approx(log_prob("test", stddev), rel=1e-5)
    assert numbers["ceiling_nats"] == pytest.approx(10 * norm.logpdf(0, 0, stddev.min()), rel=1e-5)
    assert numbers["accuracy"] == np.mean(mean["test"].argmax(axis=1) == test.labels)
    assert numbers["constant_log_prob_nats"] > log_prob("test", 1) + 3
