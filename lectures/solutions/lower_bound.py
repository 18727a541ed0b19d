"""Slides 4-6: solutions to the exercises of lectures/exercises/lower_bound.py.

    .venv/bin/python lectures/solutions/lower_bound.py

Ten seconds on two cores.
"""

import numpy as np
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from lecture10_vae import lower_bound
from lecture10_vae.studies import bound_on_grid, evidence
from lecture10_vae.tf1 import tf, tfd
from lectures.exercises import check


def gap_of_the_prior() -> float:
    """Exercise 1: ln P(x) less the bound, in nats.

    By hand, the bound is E[ln P(x|z)] over the prior. As z1^2 has mean 1 and variance 2, the error in x1 has a mean
    square of 0.8^2 + 1, that in x2 one of 0.3^2 + 0.6^2 * 2 + 1:

        -ln(2 pi 0.3) - 1.64 / 2 - 1.81 / (2 * 0.3^2) = -11.51
    """
    with tf.Graph().as_default(), tf.Session() as session:
        model = lower_bound.build_graph()
        session.run(tf.global_variables_initializer())
        bound_on_grid.place(session, np.zeros(2), np.eye(2))
        measured = bound_on_grid.measure(session, model, *evidence.code_grid())
    return measured["evidence"] - measured["bound"]


def make_bent_decoder(code, bend):
    """The script's decoder, but for the bend, which is 0.6 there."""
    first, second = tf.unstack(code, axis=-1)
    mean = tf.stack([first, second - bend * first**2], axis=-1)
    return tfd.MultivariateNormalDiag(mean, [1.0, 0.3])


def gap_when_twice_as_bent(bend: float = 1.2) -> float:
    """Exercise 2: ln P(x) less the best bound, in nats."""
    codes, cell = evidence.code_grid()
    with tf.Graph().as_default(), tf.Session() as session:
        log_joint = lower_bound.make_prior().log_prob(codes)
        log_joint += make_bent_decoder(codes, bend).log_prob(lower_bound.OBSERVATION)
        log_joint = session.run(log_joint).astype(np.float64)
    best = bound_on_grid.best_in_family(log_joint, codes, cell, full_covariance=False)
    return evidence.log_integral(log_joint, cell) - best.bound


def gap_with_fifty_samples(samples: int = 50, seed: int = 0) -> float:
    """Exercise 3: ln P(x) less E[ln 1/k (w_1 + ... + w_k)], in nats, for k samples and w = P(x,z) / Q(z)."""
    codes, cell = evidence.code_grid()
    with tf.Graph().as_default(), tf.Session() as session:
        model = lower_bound.build_graph(seed=seed)
        session.run(tf.global_variables_initializer())
        log_joint = bound_on_grid.log_densities(session, model, codes).log_joint
        best = bound_on_grid.best_in_family(log_joint, codes, cell, full_covariance=False)
        bound_on_grid.place(session, best.mean, best.covariance)
        log_weights = session.run(model.forms[0], {model.num_samples: 1_000_000})
    bounds = logsumexp(log_weights.reshape(-1, samples), axis=1) - np.log(samples)
    return evidence.log_integral(log_joint, cell) - bounds.mean()


def gap_of_mean_field(correlation: float = 0.9) -> float:
    """Exercise 4: ln P(x) less the best bound, in nats, if the posterior is a Gaussian with unit variances.

    By hand, -ln(1 - 0.9^2) / 2 = 0.830; here it is searched for on the grid.
    """
    codes, cell = evidence.code_grid()
    covariance = [[1.0, correlation], [correlation, 1.0]]
    log_joint = multivariate_normal([0.0, 0.0], covariance).logpdf(codes)  # ln P(x) = 0, as only the shape matters
    best = bound_on_grid.best_in_family(log_joint, codes, cell, full_covariance=False)
    return evidence.log_integral(log_joint, cell) - best.bound


if __name__ == "__main__":
    check.main(__file__)
