"""Slide 6's "sampled differentiably": the bound's gradient through the samples, and through ln Q(z) alone."""

from types import SimpleNamespace

import numpy as np

from lecture10_vae.tf1 import tf


def compare(session: tf.Session, model: SimpleNamespace, codes: np.ndarray, cell: float, draws=2_000) -> dict:
    """The bound's gradient from single samples, two ways, beside that of the integral over a grid; numbers in nats.

    Returns:
        Lists with a number a parameter: exact; path_mean, path_error and path_variance; score_mean and so on.
    """
    path, score, integral = make_gradients(model)
    compared = {"exact": np.hstack(session.run(integral, {model.code: codes})) * cell}
    for name, gradient in (("path", path), ("score", score)):
        feeds = ({model.samples: 1, model.noise_seed: [1, draw]} for draw in range(draws))
        each = np.array([np.hstack(session.run(gradient, feed)) for feed in feeds], np.float64)
        compared[f"{name}_mean"], compared[f"{name}_variance"] = each.mean(axis=0), each.var(axis=0)
        compared[f"{name}_error"] = each.std(axis=0) / np.sqrt(draws)
    return {name: values.tolist() for name, values in compared.items()}


def make_gradients(model: SimpleNamespace) -> tuple[list[tf.Tensor], list[tf.Tensor], list[tf.Tensor]]:
    """The bound's gradients in the parameters of Q: through the samples, through ln Q(z), and of the integrand."""
    with tf.name_scope("gradients"):
        variables = tf.trainable_variables("posterior")
        path = tf.gradients(model.bound, variables)
        code = tf.stop_gradient(model.code)  # E_Q[f(z)] has the gradient E_Q[f(z) d ln Q(z)]; that of f's ln Q is 0
        log_posterior = model.posterior.log_prob(code)
        score = tf.gradients(tf.reduce_mean(tf.stop_gradient(model.forms[0]) * log_posterior), variables)
        log_joint = model.prior.log_prob(code) + model.decoder(code).log_prob(model.observation)
        integrand = tf.exp(log_posterior) * (log_joint - log_posterior)
        integral = tf.gradients(tf.reduce_sum(integrand), variables)  # times the area of a cell
    return path, score, integral


def describe(compared: dict) -> str:
    """A line on the two gradients' variances."""
    ratios = np.divide(compared["score_variance"], compared["path_variance"])
    numbers = " ".join(f"{ratio:.0f}" for ratio in ratios)
    effect = f"A gradient through ln Q(z) has {numbers} times"
    return f"{effect}\nthe variance of one through z: Q's means, then its stddevs."
