"""Slide 6's "sampled differentiably": estimates of the bound's gradient from single samples, and how noisy they are.

    path                 through z = sigma eps + mu, of the last form, its divergence in closed form: the script's own
    path_of_first_form   through z and through Q's parameters, of ln P(x,z) - ln Q(z)
    path_without_score   the same without the part through Q's parameters, E_Q[d ln Q(z)], whose mean is 0: "sticking
                         the landing" (Roeder, Wu, Duvenaud 2017, section 3)
    score                (ln P(x,z) - ln Q(z)) d ln Q(z), "REINFORCE" (Williams 1992): needs the gradient of ln Q(z) and
                         the value of the integrand, but not its gradient
    score_with_baseline  the same with the best constant taken off the value, one for each parameter

All have the bound's gradient as their mean. Which is the least noisy depends on where Q is.

    .venv/bin/python lecture10_vae/beyond/experiments/gradients.py

Half a minute a seed.
"""

from types import SimpleNamespace

from lecture10_vae import lower_bound
from lecture10_vae.beyond.experiments import over_seeds
from lecture10_vae.beyond.experiments.mean_field import FAMILIES
from lecture10_vae.studies import bound_on_grid, evidence
from lecture10_vae.tf1 import tf
from lecture10_vae.utils import command_line, plotting

import numpy as np

DRAWS = 4_000  # single samples of Q, for each place
PLACES = {"start": "Q far off", "best": "best Q"}
ESTIMATES = {  # name, colour, marker and face
    "score": ("score function", plotting.ORANGE, "s", plotting.ORANGE),
    "score_with_baseline": ("the same with a baseline", plotting.ORANGE, "D", "white"),
    "path": ("path, last form (lower_bound.py)", plotting.BLUE, "o", plotting.BLUE),
    "path_of_first_form": ("path, first form", plotting.BLUE, "v", "white"),
    "path_without_score": ("the same without the score term", plotting.BLUE, "^", plotting.BLUE),
}
FORMS = ("1st, 2nd", "3rd")  # slide 6's lines; the first two are one expression
PARAMETERS = ("mean\n1", "mean\n2", "stddev\n1", "stddev\n2")


def measure(seed: int) -> dict:
    """How noisy five estimates of slide 6's gradient are, and its forms, far off and at the best Q."""
    numbers = {}
    for family, full_covariance in FAMILIES.items():
        with tf.Graph().as_default(), tf.Session() as session:
            model = lower_bound.build_graph(full_covariance, seed=seed)
            gradients = build_gradients(model)
            session.run(tf.global_variables_initializer())
            numbers[family] = measure_places(session, model, gradients)
    return numbers


def build_gradients(model: SimpleNamespace) -> SimpleNamespace:
    """Gradients in Q's parameters, a list each, for the codes that are sampled or fed."""
    with tf.name_scope("gradients"):
        variables = tf.trainable_variables("posterior")
        path_of_first_form, path = (tf.gradients(tf.reduce_mean(form), variables) for form in model.forms)
        code = tf.stop_gradient(model.code)
        log_posterior = model.posterior.log_prob(code)
        score = tf.gradients(tf.reduce_mean(log_posterior), variables)  # of ln Q(z) alone
        log_joint = model.prior.log_prob(code) + model.decoder(code).log_prob(model.observation)
        integrand = tf.exp(log_posterior) * (log_joint - log_posterior)
        integral = tf.gradients(tf.reduce_sum(integrand), variables)  # times the area of a cell
    return SimpleNamespace(**locals())


def measure_places(session: tf.Session, model: SimpleNamespace, gradients: SimpleNamespace) -> dict[str, dict]:
    """The noise of gradients and of slide 6's forms, for Q as it is, "start", and for its family's "best".

    Returns:
        What `compare` says; for each estimate but the path, score_ratio and so on, of its variances to the path's; and
        form_variance, of the forms by one sample, in squared nats. Q stays at its best.
    """
    numbers = {}
    for place in PLACES:
        if place == "best":
            codes, cell = evidence.code_grid()
            log_joint = bound_on_grid.log_densities(session, model, codes).log_joint
            best = bound_on_grid.best_in_family(log_joint, codes, cell, model.full_covariance)
            bound_on_grid.place(session, best.mean, best.covariance)
        numbers[place] = compare(session, model, gradients)
        for name in ESTIMATES.keys() - {"path"}:
            ratio = np.divide(numbers[place][f"{name}_variance"], numbers[place]["path_variance"])
            numbers[place][f"{name}_ratio"] = ratio.tolist()
        forms = session.run(model.forms, {model.num_samples: DRAWS})
        numbers[place]["form_variance"] = np.var(forms, axis=1, dtype=np.float64).tolist()
    return numbers


def compare(session: tf.Session, model: SimpleNamespace, gradients: SimpleNamespace) -> dict[str, list[float]]:
    """The bound's gradient by each of the estimates from single samples, beside that of the integral over a grid.

    Returns:
        Lists with a number a parameter: exact; path_mean, path_error (the mean's standard error), path_variance; and
        so on for each estimate. In nats by the parameter's unit.
    """
    fetches = [gradients.path, gradients.path_of_first_form, gradients.score, model.forms[0]]
    sample = session.make_callable(fetches, [model.num_samples])
    each = [sample(1) for _ in range(DRAWS)]
    path, path_of_first_form, score, value = (
        np.array([np.hstack(one[i]) for one in each], np.float64) for i in range(4)
    )
    estimates = {  # [draws, parameters] each; the value has [draws, 1]
        "path": path,
        "path_of_first_form": path_of_first_form,
        "path_without_score": path_of_first_form + score,  # the first form has -ln Q(z)
        "score": value * score,
        "score_with_baseline": (value - fit_baseline(value, score)) * score,
    }
    codes, cell = evidence.code_grid()
    compared = {"exact": np.hstack(session.run(gradients.integral, {model.code: codes})) * cell}
    for name, gradient in estimates.items():
        compared[f"{name}_mean"], compared[f"{name}_variance"] = gradient.mean(axis=0), gradient.var(axis=0)
        compared[f"{name}_error"] = gradient.std(axis=0) / np.sqrt(DRAWS)
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


def draw(numbers: dict):
    """Stddevs of single-sample gradients by parameter, and of single-sample bounds by form, at both places."""
    numbers = numbers["mean_field"]
    with plotting.new_picture(16, 9) as picture:
        *panels, last = picture.subplots(1, 3, sharey=True, width_ratios=[4, 4, 3])
        for axes, (place, title) in zip(panels, PLACES.items(), strict=True):
            draw_gradients(axes, numbers[place])
            axes.set(yscale="log", title=f"gradient, {title}")
        panels[0].set(ylabel="stddev of one sample")
        panels[0].set_yticks([1, 10, 100], ["1", "10", "100"])
        for place, title in PLACES.items():
            stddevs = np.sqrt(numbers[place]["form_variance"]["mean"])
            last.plot(FORMS, stddevs, "o:", color=plotting.EXACT, markersize=14)
            last.annotate(title, (0.5, 1.25 * np.sqrt(stddevs[0] * stddevs[1])), ha="center", va="bottom")
        last.set(xlim=(-0.5, 1.5), title="value, by form", xlabel="form of slide 6")
        picture.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return picture


def draw_gradients(axes, numbers: dict) -> None:
    """A sign for each estimate's stddev, side by side for each parameter."""
    shifts = np.linspace(-0.24, 0.24, len(ESTIMATES))
    for shift, (name, (label, color, marker, face)) in zip(shifts, ESTIMATES.items(), strict=True):
        stddevs = np.sqrt(numbers[f"{name}_variance"]["mean"])
        style = {"color": color, "marker": marker, "markerfacecolor": face, "markersize": 14, "markeredgewidth": 3}
        axes.plot(np.arange(4) + shift, stddevs, linestyle="", label=label, **style)
    axes.set_xticks(range(4), PARAMETERS, fontsize="small")
    axes.grid(axis="y", alpha=0.4)


main = over_seeds.command(measure, draw, "gradients")


if __name__ == "__main__":
    command_line.run(main)
