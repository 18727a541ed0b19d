"""Slides 4-6: the solutions to the notes' exercises.

    1. How far below ln P(x) does the bound stay if Q(z) is the prior?
    2. How far does the best diagonal Gaussian stay below it if the decoder is twice as bent?
    3. How far with the script's decoder, if 50 samples of that Gaussian make one bound?

    python lectures/solutions/lower_bound.py

Ten seconds on two cores. Each number is printed beside the answer that the notes give.
"""

import numpy as np
from scipy.special import logsumexp

from lecture10_vae import lower_bound
from lecture10_vae.tf1 import tf, tfd
from lecture10_vae.utils import command_line
from lecture10_vae.variational_inference import inverse_softplus
from lectures.solutions.answers import compare


def place(session: tf.Session, mean: np.ndarray, stddev: np.ndarray) -> None:
    """Gives the diagonal Q(z) of the session's graph this mean and stddev."""
    variables = tf.trainable_variables("posterior")
    variables[0].load(mean, session)
    variables[1].load(inverse_softplus(stddev), session)


def gap_of_the_prior() -> float:
    """Exercise 1: ln P(x) less the bound, in nats.

    By hand, the bound is E[ln P(x|z)] over the prior. As z1^2 has mean 1 and variance 2, the error in x1 has a mean
    square of 0.8^2 + 1, that in x2 one of 0.3^2 + 0.6^2 * 2 + 1:

        -ln(2 pi 0.3) - 1.64 / 2 - 1.81 / (2 * 0.3^2) = -11.51
    """
    with tf.Graph().as_default(), tf.Session() as session:
        graph = lower_bound.build_graph()
        session.run(tf.global_variables_initializer())
        place(session, np.zeros(2), np.ones(2))
        found = lower_bound.record(session, graph, *lower_bound.code_grid())
    return found["evidence"] - found["bound"]


def make_bent_decoder(code, bend):
    """The script's decoder, but for the bend, which is 0.6 there."""
    first, second = tf.unstack(code, axis=-1)
    mean = tf.stack([first, second - bend * first**2], axis=-1)
    return tfd.MultivariateNormalDiag(mean, [1.0, 0.3])


def gap_when_twice_as_bent(bend: float = 1.2) -> float:
    """Exercise 2: ln P(x) less the best bound, in nats."""
    codes, cell = lower_bound.code_grid()
    with tf.Graph().as_default(), tf.Session() as session:
        log_joint = lower_bound.make_prior().log_prob(codes)
        log_joint += make_bent_decoder(codes, bend).log_prob(lower_bound.OBSERVATION)
        log_joint = session.run(log_joint).astype(np.float64)
    bound, _, _ = lower_bound.best_in_family(log_joint, codes, cell, full_covariance=False)
    return lower_bound.log_integral(log_joint, cell) - bound


def gap_with_fifty_samples(samples: int = 50, seed: int = 0) -> float:
    """Exercise 3: ln P(x) less E[ln 1/k (w_1 + ... + w_k)], in nats, for k samples and w = P(x,z) / Q(z)."""
    codes, cell = lower_bound.code_grid()
    with tf.Graph().as_default(), tf.Session() as session:
        graph = lower_bound.build_graph()
        session.run(tf.global_variables_initializer())
        _, log_joint, _ = lower_bound.on_grid(session, graph, codes)
        _, mean, covariance = lower_bound.best_in_family(log_joint, codes, cell, full_covariance=False)
        place(session, mean, np.sqrt(np.diag(covariance)))
        log_weights = session.run(graph.forms[0], {graph.samples: 1_000_000, graph.draw: [seed, -1]})
    bounds = logsumexp(log_weights.reshape(-1, samples), axis=1) - np.log(samples)
    return lower_bound.log_integral(log_joint, cell) - bounds.mean()


def main() -> None:
    """Prints what each exercise on slides 4-6 comes to, beside the answer in the notes."""
    compare("lower_bound", gap_of_the_prior, gap_when_twice_as_bent, gap_with_fifty_samples)


if __name__ == "__main__":
    command_line.run(main)
