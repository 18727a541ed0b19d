"""Slides 13-16: solutions to the exercises of lectures/exercises/distributions.py.

    .venv/bin/python lectures/solutions/distributions.py

Ten seconds on two cores.
"""

import numpy as np

from lecture10_vae.studies.densities import written_out_log_prob
from lecture10_vae.tf1 import tf, tfd
from lectures.exercises import check


def divergence_the_other_way() -> float:
    """Exercise 1: KL[other || dist] in nats; by hand, 10 * (ln 0.5 + (1 + 1^2) / (2 * 0.5^2) - 1/2)."""
    with tf.Graph().as_default(), tf.Session() as session:
        dist = tfd.MultivariateNormalDiag(tf.ones(10), 0.5 * tf.ones(10))
        other = tfd.MultivariateNormalDiag(tf.zeros(10), tf.ones(10))
        return float(session.run(tfd.kl_divergence(other, dist)))


def samples_for_one_percent(seed: int = 0) -> float:
    """Exercise 2: how many make the standard error of the mean log ratio one percent of KL[dist || other].

    By hand, a log ratio is 10 times -ln 0.5 + ((1 + 0.5 e)^2 - e^2) / 2, for standard normal e: its variance is
    10 * ((0.5^2 - 1)^2 / 2 + 0.5^2) = 5.31, and its mean, the divergence, 10 * (0.125 + ln 2) = 8.18.
    """
    samples = np.random.default_rng(seed).normal(1, 0.5, size=(1_000_000, 10))
    log_ratio = written_out_log_prob(samples, np.ones(10), np.full(10, 0.5))
    log_ratio -= written_out_log_prob(samples, np.zeros(10), np.ones(10))
    return log_ratio.var() / (0.01 * log_ratio.mean()) ** 2


def fit(direction: str, steps: int = 1_000, samples: int = 1_000, seed: int = 0) -> tuple[float, float]:
    """Mean and stddev of the Gaussian Q nearest to the mixture P, by "KL[P||Q]" or "KL[Q||P]", from samples."""
    with tf.Graph().as_default(), tf.Session() as session:
        tf.set_random_seed(seed)
        humps = tfd.Normal([-2.0, 2.0], 0.5)
        mixture = tfd.MixtureSameFamily(tfd.Categorical(probs=[0.5, 0.5]), humps)
        mean, raw_stddev = tf.get_variable("mean", initializer=0.5), tf.get_variable("stddev", initializer=0.5)
        gaussian = tfd.Normal(mean, tf.nn.softplus(raw_stddev))
        first, second = (mixture, gaussian) if direction == "KL[P||Q]" else (gaussian, mixture)
        drawn = first.sample(samples)
        divergence = tf.reduce_mean(first.log_prob(drawn) - second.log_prob(drawn))
        rate = tf.placeholder(tf.float32, [])
        optimize = tf.train.AdamOptimizer(rate).minimize(divergence)
        session.run(tf.global_variables_initializer())
        for step in range(steps):  # a rate that falls to 0 lets the noise of the samples average out
            session.run(optimize, {rate: 0.05 * (1 - step / steps)})
        return session.run((gaussian.mean(), gaussian.stddev()))


def ratio_of_stddevs(seed: int = 0) -> float:
    """Exercise 3: the stddev by KL[P||Q], over that by KL[Q||P].

    By hand, the first Gaussian has the mixture's mean and stddev, 0 and sqrt(2^2 + 0.5^2) = 2.06; the second is one of
    the two humps, with stddev 0.5, and its divergence is ln 2.
    """
    _, covering = fit("KL[P||Q]", seed=seed)
    _, seeking = fit("KL[Q||P]", seed=seed)
    return covering / seeking


if __name__ == "__main__":
    check.main(__file__)
