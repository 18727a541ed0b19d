"""Slides 4-6: the integral P(x), the posterior P(z|x), and the lower bound that leads to both.

With a code of two dimensions all of it can be computed on a grid, so that nothing has to be believed. A small decoder,
fixed, sends the code z to an observation x; of one x we ask for the code. The posterior is bent like a banana. A
Gaussian Q(z) starts far off and walks to it by gradient ascent on the sampled bound, and at each recorded step

    ln P(x) = bound + KL[Q(z) || P(z|x)]

    python lecture10_vae/lower_bound.py                                                         # diagonal Q, slide 7's
    python lecture10_vae/lower_bound.py --full-covariance --logdir runs/lower_bound_full        # a wider family

Ten seconds on two cores. The diagonal family's best stays 0.34 nats below ln P(x); with a full covariance, 0.25.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from lecture10_vae.tf1 import tf, tfd
from lecture10_vae.utils import command_line
from lecture10_vae.utils.training import Run

OBSERVATION = np.array([0.8, -0.3], np.float32)  # the x whose code is asked for
RECORDED_STEPS = (0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


def make_prior():
    """P(z) = N(0, I)."""
    return tfd.MultivariateNormalDiag(tf.zeros([2]), tf.ones([2]))


def make_decoder(code):
    """P(x|z) for codes [N, 2]: a Gaussian around a bent plane, vague in its first dimension and sharp in the second."""
    first, second = tf.unstack(code, axis=-1)
    mean = tf.stack([first, second - 0.6 * first**2], axis=-1)
    return tfd.MultivariateNormalDiag(mean, [1.0, 0.3])


def make_posterior(full_covariance=False):
    """Q(z), a Gaussian with variables for its parameters, at first far off."""
    mean = tf.get_variable("mean", initializer=[-1.8, -1.5])
    stddev = tf.nn.softplus(tf.get_variable("stddev", initializer=[-0.5, -0.5])) + 1e-6
    if not full_covariance:
        return tfd.MultivariateNormalDiag(mean, stddev)
    skew = tf.get_variable("skew", initializer=0.0)
    scale = tf.stack([tf.stack([stddev[0], 0.0]), tf.stack([skew, stddev[1]])])
    return tfd.MultivariateNormalTriL(mean, scale)


class LowerBound(NamedTuple):
    """The tensors and operations of the graph; each of the bound's forms has one number a sampled code, in nats."""

    draw: tf.Tensor  # int32 [2]: which draw of the noise to take
    samples: tf.Tensor  # []: how many codes S to draw
    mean: tf.Tensor  # [2], of Q(z)
    covariance: tf.Tensor  # [2, 2], of Q(z)
    code: tf.Tensor  # [S, 2], samples of Q(z)
    decoded: tf.Tensor  # [S, 2], the mean of P(x|z)
    log_prior: tf.Tensor  # [S], ln P(z)
    log_likelihood: tf.Tensor  # [S], ln P(x|z)
    log_posterior: tf.Tensor  # [S], ln Q(z)
    kl: tf.Tensor  # [], KL[Q(z) || P(z)], in closed form
    forms: tuple[tf.Tensor, ...]  # three times [S]: the lines of slide 6, whose mean is the bound
    optimize: tf.Operation
    path_gradient: list[tf.Tensor]  # of the bound, through the samples
    score_gradient: list[tf.Tensor]  # the same in expectation, through ln Q(z) alone
    grid_gradient: list[tf.Tensor]  # of the bound as an integral, with a grid fed for the code


def build_graph(full_covariance=False, samples=10, learning_rate=0.05, seed=0) -> LowerBound:
    """Slide 6, as a static graph."""
    step = tf.train.get_or_create_global_step()
    with tf.name_scope("draw"):
        draw = tf.stack([seed, tf.cast(step, tf.int32)])
        samples = tf.placeholder_with_default(samples, [])
    with tf.name_scope("prior"):
        prior = make_prior()
    with tf.variable_scope("posterior"):
        posterior = make_posterior(full_covariance)
    with tf.name_scope("code"):
        # The identity lets a grid be fed for the code: log_prob remembers the noise of the very tensor it sampled.
        code = tf.identity(posterior.sample(samples, seed=draw))
        mean, covariance = posterior.mean(), posterior.covariance()
    with tf.name_scope("decoder"):
        dist = make_decoder(code)
        decoded = dist.mean()

    with tf.name_scope("bound"):
        log_prior, log_likelihood = prior.log_prob(code), dist.log_prob(OBSERVATION)
        log_posterior = posterior.log_prob(code)
        log_joint = log_likelihood + log_prior
        kl = tfd.kl_divergence(posterior, prior)
        forms = (  # slide 6, line by line
            log_joint - log_posterior,
            log_likelihood + log_prior - log_posterior,
            log_likelihood - kl,
        )
        bound = tf.reduce_mean(forms[2])
    with tf.name_scope("optimize"):
        optimize = tf.train.AdamOptimizer(learning_rate).minimize(-bound, step)

    with tf.name_scope("gradients"):
        variables = tf.trainable_variables()
        path_gradient = tf.gradients(bound, variables)
        fixed_code = tf.stop_gradient(code)  # E_Q[f(z)] has the gradient E_Q[f(z) d ln Q(z)]; that of f's ln Q is 0
        weight = tf.stop_gradient(forms[0])
        score_gradient = tf.gradients(tf.reduce_mean(weight * posterior.log_prob(fixed_code)), variables)
        mass = tf.exp(posterior.log_prob(fixed_code))
        on_grid = prior.log_prob(fixed_code) + make_decoder(fixed_code).log_prob(OBSERVATION)
        integrand = mass * (on_grid - posterior.log_prob(fixed_code))
        grid_gradient = tf.gradients(tf.reduce_sum(integrand), variables)  # times the area of a cell
    return LowerBound(
        draw, samples, mean, covariance, code, decoded, log_prior, log_likelihood,
        log_posterior, kl, forms, optimize, path_gradient, score_gradient, grid_gradient,
    )  # fmt: skip


def code_grid(points: int = 201, half_width: float = 6.0) -> tuple[np.ndarray, float]:
    """An even grid over the square [-half_width, half_width]^2 of codes.

    Outside of it the prior N(0, I) has a mass of 4e-9 at the default half width.

    Returns:
        codes: float32 [points * points, 2], the first dimension changing slowest.
        cell: the area that each code stands for.
    """
    axis = np.linspace(-half_width, half_width, points, dtype=np.float32)
    codes = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    return codes, (2 * half_width / (points - 1)) ** 2


def log_integral(log_integrand: np.ndarray, cell: float) -> np.ndarray:
    """ln ∫ exp(log_integrand) dz over a `code_grid`, whose codes are the last axis (trapezoidal rule)."""
    largest = log_integrand.max(axis=-1, keepdims=True)  # taken out, so that exp does not overflow
    return largest[..., 0] + np.log(np.exp(log_integrand - largest).sum(axis=-1) * cell)


def record(session: tf.Session, graph: LowerBound, codes: np.ndarray, cell: float) -> dict[str, np.ndarray]:
    """Slide 6 for Q(z) as it is: the three forms from 10,000 samples and by quadrature, the divergence, ln P(x)."""
    mean, covariance, kl = session.run([graph.mean, graph.covariance, graph.kl])
    forms = np.array(session.run(graph.forms, {graph.samples: 10_000, graph.draw: [0, -1]}), np.float64)
    log_likelihood, log_joint, log_q = on_grid(session, graph, codes)
    evidence = log_integral(log_joint, cell)
    mass = np.exp(log_q) * cell
    return {
        "sampled": forms.mean(axis=1),
        "standard_error": forms.std(axis=1) / np.sqrt(forms.shape[1]),
        # By the last form, with its KL in closed form, so that the sum with the divergence is not true by construction.
        "bound": mass @ log_likelihood - kl,
        "divergence": mass @ (log_q - (log_joint - evidence)),
        "evidence": evidence,
        "mean": mean,
        "covariance": covariance,
    }


def on_grid(session: tf.Session, graph: LowerBound, codes: np.ndarray) -> tuple[np.ndarray, ...]:
    """ln P(x|z), ln P(x,z) and ln Q(z) of codes [N, 2], each float64 [N]."""
    fetches = [graph.log_likelihood, graph.log_prior, graph.log_posterior]
    log_likelihood, log_prior, log_q = np.array(session.run(fetches, {graph.code: codes}), np.float64)
    return log_likelihood, log_likelihood + log_prior, log_q


def best_in_family(log_joint: np.ndarray, codes: np.ndarray, cell: float, full_covariance: bool):
    """The Gaussian with the highest bound there is, found on the grid: the bound, and its mean and covariance."""
    from scipy.optimize import minimize  # here, since vae.py needs this file but not the import's time

    def unpack(parameters):
        scale = np.diag(np.exp(parameters[2:4]))
        scale[1, 0] = parameters[4] if full_covariance else 0
        return parameters[:2], scale

    def negative_bound(parameters):
        mean, scale = unpack(parameters)
        noise = (codes - mean) @ np.linalg.inv(scale).T
        log_q = -0.5 * (noise**2).sum(axis=1) - np.log(2 * np.pi) - np.log(np.diag(scale)).sum()
        return -(np.exp(log_q) * cell) @ (log_joint - log_q)

    posterior = np.exp(log_joint - log_integral(log_joint, cell)) * cell
    start = np.concatenate([posterior @ codes, [-1.0, -1.0, 0.0]])
    found = minimize(negative_bound, start)
    mean, scale = unpack(found.x)
    return -found.fun, mean, scale @ scale.T


def compare_gradients(session: tf.Session, graph: LowerBound, codes: np.ndarray, cell: float, draws=2_000) -> dict:
    """The bound's gradient from single samples, two ways, beside that of the integral; numbers in nats.

    Returns:
        Lists with a number a parameter: exact; path_mean, path_error and path_variance; score_mean and so on.
    """
    found = {"exact": np.hstack(session.run(graph.grid_gradient, {graph.code: codes})) * cell}
    for name, gradient in (("path", graph.path_gradient), ("score", graph.score_gradient)):
        feeds = ({graph.samples: 1, graph.draw: [1, draw]} for draw in range(draws))
        each = np.array([np.hstack(session.run(gradient, feed)) for feed in feeds], np.float64)
        found[f"{name}_mean"], found[f"{name}_variance"] = each.mean(axis=0), each.var(axis=0)
        found[f"{name}_error"] = each.std(axis=0) / np.sqrt(draws)
    return {name: values.tolist() for name, values in found.items()}


def draw_figures(session: tf.Session, graph: LowerBound, codes: np.ndarray, log_joint, records, best, folder) -> None:
    """The walk of Q(z) to the posterior, the bound under ln P(x), and where the decoder sends a grid of codes."""
    from lecture10_vae.utils import plotting  # here, since matplotlib takes half a second to load

    ellipses = [(f"step {step}", found["mean"], found["covariance"]) for step, found in records.items()]
    plotting.save(plotting.walk(codes, log_joint, ellipses, best), folder / "walk.png")
    bounds = [found["bound"] for found in records.values()]
    plotting.save(plotting.bound(list(records), bounds, records[0]["evidence"]), folder / "bound.png")
    lines, _ = code_grid(points=31, half_width=3.0)
    decoded = session.run(graph.decoded, {graph.code: lines})
    plotting.save(plotting.decoder(lines, decoded, OBSERVATION), folder / "decoder.png")


def main(
    steps: int = 1000,
    samples: int = 10,
    learning_rate: float = 0.02,
    full_covariance: bool = False,
    seed: int = 0,
    logdir: Path = Path("runs/lower_bound"),
    fresh: bool = False,
) -> dict:
    """Walks a Gaussian Q(z) to the posterior of slides 5-6, and measures the bound and its gap along the way.

    Args:
        steps: of gradient ascent.
        samples: codes drawn from Q(z) at each step.
        learning_rate: of Adam.
        full_covariance: let Q(z) have any covariance, not just a diagonal one.
        seed: of the samples.
        logdir: the folder for pictures, numbers and TensorBoard's curves.
        fresh: replace what an earlier run with other flags has left in the folder.

    Returns:
        What results.json says.
    """
    config = {"steps": steps, "samples": samples, "learning_rate": learning_rate, "seed": seed}
    command_line.check_numbers(**config)
    config["full_covariance"] = full_covariance
    with tf.Graph().as_default(), tf.Session() as session, Run("lower_bound", logdir, config, fresh) as run:
        graph = build_graph(full_covariance, samples, learning_rate, seed)
        run.writer("walk").add_graph(session.graph)
        session.run(tf.global_variables_initializer())
        codes, cell = code_grid()
        _, log_joint, _ = on_grid(session, graph, codes)
        gradients = compare_gradients(session, graph, codes, cell)

        print("Slide 6, in nats: its first and last form from 10,000 samples, then by quadrature.\n")
        print("step   E[ln P(x,z) - ln Q]   E[ln P(x|z)] - KL            bound  KL[Q||P(z|x)]      sum  ln P(x)")
        records = {}
        for step in range(steps + 1):
            if step in RECORDED_STEPS or step == steps:
                records[step] = found = record(session, graph, codes, cell)
                first, _, last = (
                    f"{m:9.4f} +- {e:.4f}" for m, e in zip(found["sampled"], found["standard_error"], strict=True)
                )
                total = found["bound"] + found["divergence"]
                print(
                    f"{step:4d}   {first:>19s}  {last:>19s}  {found['bound']:13.4f}  {found['divergence']:13.4f}",
                    end="",
                )
                print(f"{total:9.4f}{found['evidence']:9.4f}")
                run.write("walk", step, {"bound": found["bound"], "divergence": found["divergence"]})
            session.run(graph.optimize)

        best_bound, *best = best_in_family(log_joint, codes, cell, full_covariance)
        print(
            f"\nThe family's best has the bound {best_bound:.4f}, {found['evidence'] - best_bound:.4f} below ln P(x)."
        )
        ratio = np.divide(gradients["score_variance"], gradients["path_variance"])
        print(
            "A gradient through ln Q(z) alone has",
            " ".join(f"{r:.0f}" for r in ratio),
            "times the variance of one through z.",
        )
        draw_figures(session, graph, codes, log_joint, records, best, run.figures_dir)
        return run.finish(
            log_evidence_nats=found["evidence"],
            bound_nats=found["bound"],
            divergence_nats=found["divergence"],
            best_bound_nats=best_bound,
            gradients=gradients,
        )


if __name__ == "__main__":
    command_line.run(main)
