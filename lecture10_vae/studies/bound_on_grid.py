"""Slide 6 for lower_bound.py's Q(z): each part of the bound by samples and by quadrature over a grid of codes."""

from types import SimpleNamespace
from typing import NamedTuple

from lecture10_vae.studies.evidence import log_integral
from lecture10_vae.studies.gaps import inverse_softplus
from lecture10_vae.tf1 import tf

import numpy as np

HEADING = """\
      E[ln P(x,z)-ln Q]  E[ln P(x|z)]-KL     by quadrature: the gap is KL[Q||P(z|x)]
step  from 10,000 samples of Q             bound    gap    sum"""


class LogDensities(NamedTuple):
    """Of codes, in nats, float64 [N] each."""

    log_likelihood: np.ndarray  # ln P(x|z)
    log_joint: np.ndarray  # ln P(x,z)
    log_posterior: np.ndarray  # ln Q(z)


class Best(NamedTuple):
    """The Gaussian with the highest bound there is."""

    bound: float  # nats
    mean: np.ndarray  # [2]
    covariance: np.ndarray  # [2, 2]


def log_densities(session: tf.Session, model: SimpleNamespace, codes: np.ndarray) -> LogDensities:
    """The densities of slide 6 at codes [N, 2]."""
    fetches = [model.log_likelihood, model.log_prior, model.log_posterior]
    log_likelihood, log_prior, log_posterior = np.array(session.run(fetches, {model.code: codes}), np.float64)
    return LogDensities(log_likelihood, log_likelihood + log_prior, log_posterior)


def place(session: tf.Session, mean: np.ndarray, covariance: np.ndarray) -> None:
    """Gives the session's Q(z) this mean [2] and covariance [2, 2], of which a diagonal Q takes the diagonal."""
    scale = np.linalg.cholesky(covariance)
    values = mean, inverse_softplus(np.diag(scale)), scale[1, 0]
    for variable, value in zip(tf.trainable_variables("posterior"), values, strict=False):  # a diagonal Q has no skew
        variable.load(value, session)


def measure(session: tf.Session, model: SimpleNamespace, codes: np.ndarray, cell: float) -> dict[str, np.ndarray]:
    """Slide 6 for Q(z) as it is: both forms from 10,000 samples; by quadrature the last, the divergence, ln P(x)."""
    mean, covariance, kl = session.run([model.mean, model.covariance, model.kl])
    forms = np.array(session.run(model.forms, {model.num_samples: 10_000}), np.float64)
    log_likelihood, log_joint, log_posterior = log_densities(session, model, codes)
    evidence = log_integral(log_joint, cell)
    mass = np.exp(log_posterior) * cell
    return {
        "sampled": forms.mean(axis=1),
        "standard_error": forms.std(axis=1) / np.sqrt(forms.shape[1]),
        # By the last form, with its KL in closed form, so that the sum with the divergence is not true by construction
        "bound": mass @ log_likelihood - kl,
        "divergence": mass @ (log_posterior - (log_joint - evidence)),
        "evidence": evidence,
        "mean": mean,
        "covariance": covariance,
    }


def describe(step: int, record: dict[str, np.ndarray]) -> str:
    """A line of the table under `HEADING`."""
    first, last = (
        f"{mean:7.3f} +- {error:.3f}" for mean, error in zip(record["sampled"], record["standard_error"], strict=True)
    )
    total = record["bound"] + record["divergence"]
    return f"{step:4d} {first} {last} {record['bound']:7.3f} {record['divergence']:6.3f} {total:6.3f}"


def best_in_family(log_joint: np.ndarray, codes: np.ndarray, cell: float, full_covariance: bool) -> Best:
    """The best Gaussian, diagonal or of any covariance, for ln P(x,z) [N] at the codes [N, 2] of a grid."""
    from scipy.optimize import minimize  # here, since no other script needs the time that it takes to load

    def unpack(parameters):
        scale = np.diag(np.exp(parameters[2:4]))
        scale[1, 0] = parameters[4] if full_covariance else 0
        return parameters[:2], scale

    def negative_bound(parameters):
        mean, scale = unpack(parameters)
        noise = (codes - mean) @ np.linalg.inv(scale).T
        log_posterior = -0.5 * (noise**2).sum(axis=1) - np.log(2 * np.pi) - np.log(np.diag(scale)).sum()
        return -(np.exp(log_posterior) * cell) @ (log_joint - log_posterior)

    exact = np.exp(log_joint - log_integral(log_joint, cell)) * cell
    start = np.concatenate([exact @ codes, [-1.0, -1.0, 0.0]])
    solution = minimize(negative_bound, start)
    mean, scale = unpack(solution.x)
    return Best(-solution.fun, mean, scale @ scale.T)
