"""Slide 6's "sampled differentiably": estimates of the bound's gradient from single samples, and how noisy they are.

    path                 through z = sigma eps + mu, of the last form, its divergence in closed form: the script's own
    path_of_first_form   through z and through Q's parameters, of ln P(x,z) - ln Q(z)
    path_without_score   the same without the part through Q's parameters, E_Q[d ln Q(z)], whose mean is 0: "sticking
                         the landing" (Roeder, Wu, Duvenaud 2017, section 3)
    score                (ln P(x,z) - ln Q(z)) d ln Q(z), "REINFORCE" (Williams 1992): needs the gradient of ln Q(z) and
                         the value of the integrand, but not its gradient
    score_with_baseline  the same with the best constant taken off the value, one for each parameter

All have the bound's gradient as their mean. Which is the least noisy depends on where Q is.
"""

from types import SimpleNamespace

import numpy as np

from lecture10_vae.studies import bound_on_grid
from lecture10_vae.tf1 import tf

ESTIMATES = ("path", "path_of_first_form", "path_without_score", "score", "score_with_baseline")


def measure(
    session: tf.Session, model: SimpleNamespace, codes: np.ndarray, cell: float, draws: int = 10_000, seed: int = 0
) -> dict[str, dict]:
    """The noise of gradients and of slide 6's three forms, for Q as it is, "start", and for its family's "best".

    Args:
        codes, cell: a grid of codes.
        draws: single samples of Q, for each place.
        seed: of the samples.

    Returns:
        What `compare` says; for each estimate but the path, score_ratio and so on, of its variances to the path's; and
        form_variance, of the three forms by one sample, in squared nats. Q stays at its best.
    """
    numbers = {}
    for place in ("start", "best"):
        if place == "best":
            log_joint = bound_on_grid.log_densities(session, model, codes).log_joint
            best = bound_on_grid.best_in_family(log_joint, codes, cell, model.full_covariance)
            bound_on_grid.place(session, best.mean, best.covariance)
        numbers[place] = compare(session, model, codes, cell, draws, seed)
        for name in ESTIMATES[1:]:
            ratio = np.divide(numbers[place][f"{name}_variance"], numbers[place]["path_variance"])
            numbers[place][f"{name}_ratio"] = ratio.tolist()
        forms = session.run(model.forms, {model.samples: draws, model.noise_seed: [seed, -1]})
        numbers[place]["form_variance"] = np.var(forms, axis=1, dtype=np.float64).tolist()
    return numbers


def compare(
    session: tf.Session, model: SimpleNamespace, codes: np.ndarray, cell: float, draws: int = 2_000, seed: int = 1
) -> dict[str, list[float]]:
    """The bound's gradient by each of the estimates from single samples, beside that of the integral over a grid.

    Returns:
        Lists with a number a parameter: exact; path_mean, path_error (the mean's standard error), path_variance; and
        so on for each estimate. In nats by the parameter's unit.
    """
    path, path_of_first_form, score, integral = make_gradients(model)
    estimate = session.make_callable(
        [path, path_of_first_form, score, model.forms[0]], [model.samples, model.noise_seed]
    )
    each = [estimate(1, [seed, draw]) for draw in range(draws)]
    path, path_of_first_form, score = (np.array([np.hstack(one[i]) for one in each], np.float64) for i in range(3))
    value = np.array([one[3] for one in each], np.float64)  # [draws, 1]
    estimates = (  # [draws, parameters] each
        path,
        path_of_first_form,
        path_of_first_form + score,  # the first form has -ln Q(z)
        value * score,
        (value - fit_baseline(value, score)) * score,
    )
    compared = {"exact": np.hstack(session.run(integral, {model.code: codes})) * cell}
    for name, gradient in zip(ESTIMATES, estimates, strict=True):
        compared[f"{name}_mean"], compared[f"{name}_variance"] = gradient.mean(axis=0), gradient.var(axis=0)
        compared[f"{name}_error"] = gradient.std(axis=0) / np.sqrt(draws)
    return {name: numbers.tolist() for name, numbers in compared.items()}


def fit_baseline(value: np.ndarray, score: np.ndarray) -> np.ndarray:
    """What to take off values [draws, 1] so that their product with scores [draws, parameters] varies least.

    That is E[score^2 value] / E[score^2], a number a parameter (Greensmith, Bartlett, Baxter 2004). Those of one half
    of the draws are fitted on the other half, so that the mean stays what it was: [draws, parameters].
    """
    halves = np.arange(len(value)) % 2
    fitted = [
        (score**2 * value)[halves != half].mean(axis=0) / (score**2)[halves != half].mean(axis=0) for half in (0, 1)
    ]
    return np.array(fitted)[halves]


def make_gradients(model: SimpleNamespace) -> tuple[list[tf.Tensor], ...]:
    """Gradients in Q's parameters: of the last form and of the first through z, of ln Q(z) alone, of the integrand."""
    with tf.name_scope("gradients"):
        variables = tf.trainable_variables("posterior")
        path, path_of_first_form = (tf.gradients(tf.reduce_mean(model.forms[form]), variables) for form in (2, 0))
        code = tf.stop_gradient(model.code)
        log_posterior = model.posterior.log_prob(code)
        score = tf.gradients(tf.reduce_mean(log_posterior), variables)
        log_joint = model.prior.log_prob(code) + model.decoder(code).log_prob(model.observation)
        integrand = tf.exp(log_posterior) * (log_joint - log_posterior)
        integral = tf.gradients(tf.reduce_sum(integrand), variables)  # times the area of a cell
    return path, path_of_first_form, score, integral


def describe(compared: dict) -> str:
    """A line on the variances of the script's gradient and of the plain score function's."""
    ratios = np.divide(compared["score_variance"], compared["path_variance"])
    numbers = " ".join(f"{ratio:.0f}" for ratio in ratios)
    effect = f"At first, a gradient through ln Q(z) has {numbers} times"
    skew = ", its skew" if len(ratios) > 4 else ""
    return f"{effect}\nthe variance of one through z: Q's means, its stddevs{skew}; one sample, no baseline."
