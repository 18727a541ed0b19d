"""Slide 11 with two weights: what a Gaussian with a diagonal covariance, a "mean field", misses of their posterior.

A logistic regression tells 5 from 3 by two neighbouring pixels. With two weights the exact posterior stands on a grid,
and the Gaussians that the bound finds beside it: one diagonal, as slide 27 has for each weight of its network, and one
of any covariance. The pixels mostly have ink together, so that the data tell the sum of their weights better than the
difference, and the weights are correlated in the posterior. A diagonal Gaussian cannot say that. Where the posterior is
a Gaussian itself, of precision L, the best diagonal one has the variances 1 / L_ii, and these are never larger than
the true ones, (L^-1)_ii (Bishop 2006, section 10.1.2): for two weights of correlation r, by a factor of 1 - r^2.

    .venv/bin/python lecture10_vae/beyond/experiments/mean_field.py

Five seconds a seed.
"""

from types import SimpleNamespace

from lecture10_vae.beyond.experiments import over_seeds
from lecture10_vae.studies.evidence import code_grid, log_integral
from lecture10_vae.tf1 import tf, tfd
from lecture10_vae.utils import command_line, mnist, plotting

import numpy as np

PIXELS = (10, 11), (9, 9)  # rows and columns: where a 5 has its upright stroke, and a 3 mostly paper
DIGITS = (3, 5)  # told apart, as the classes 0 and 1
FAMILIES = {"mean_field": False, "full_covariance": True}
SIGNS = {  # name, colour, dash and hatching
    "mean_field": ("diagonal Q", plotting.ORANGE, "--", plotting.HATCH),
    "full_covariance": ("Q of any covariance", plotting.BLUE, "-", ""),
}


def measure(seed: int) -> dict:
    """The exact posterior of a logistic regression's two weights, and the Gaussians that slide 11's bound finds."""
    return measure_posterior(*two_pixels(mnist.load("train"), seed=seed), seed=seed)


def two_pixels(data: mnist.Dataset, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Of a hundred images of the two digits the pixels [100, 2], less the mean and by the stddev, and labels [100]."""
    pixels = data.images[np.isin(data.labels, DIGITS)][:, *PIXELS]
    labels = data.labels[np.isin(data.labels, DIGITS)] == DIGITS[1]
    chosen = np.random.default_rng(seed).choice(len(labels), 100, replace=False)
    return ((pixels - pixels.mean(axis=0)) / pixels.std(axis=0))[chosen], labels[chosen].astype(np.float32)


def build_graph(inputs: np.ndarray, labels: np.ndarray, full_covariance: bool, seed: int) -> SimpleNamespace:
    """Slide 11's bound for inputs [N, 2] and labels [N], as a static graph. Returns everything below by its name."""
    tf.set_random_seed(seed)
    prior = tfd.MultivariateNormalDiag(tf.zeros([2]))
    mean = tf.get_variable("mean", [2], initializer=tf.zeros_initializer())
    stddev = tf.nn.softplus(tf.get_variable("stddev", [2], initializer=tf.zeros_initializer()))
    skew = tf.get_variable("skew", [], initializer=tf.zeros_initializer(), trainable=full_covariance)
    posterior = tfd.MultivariateNormalTriL(mean, tf.stack([[stddev[0], 0.0], [skew, stddev[1]]]))

    weights = posterior.sample(100)  # [100, 2], new ones in each session.run
    dist = tfd.Bernoulli(logits=tf.matmul(weights, inputs, transpose_b=True))  # batch shape [100, N]
    log_prob = tf.reduce_sum(dist.log_prob(labels), axis=1)  # [100], of all labels, in nats
    elbo = tf.reduce_mean(log_prob) - tfd.kl_divergence(posterior, prior)  # []
    covariance = posterior.covariance()
    rate = tf.placeholder(tf.float32, [])
    optimize = tf.train.AdamOptimizer(rate).minimize(-elbo)
    return SimpleNamespace(**locals())


def fit(inputs: np.ndarray, labels: np.ndarray, full_covariance: bool, seed: int):
    """Mean [2] and covariance [2, 2] of the Gaussian to which gradient ascent on the sampled bound comes."""
    with tf.Graph().as_default(), tf.Session() as session:
        model = build_graph(inputs, labels, full_covariance, seed)
        session.run(tf.global_variables_initializer())
        for step in range(1_000):  # a rate that falls to 0 lets the noise of the samples average out
            session.run(model.optimize, {model.rate: 0.05 * (1 - step / 1_000)})
        return session.run([model.mean, model.covariance])


def log_joint(weights: np.ndarray, inputs: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """ln P(labels, weights | inputs) in nats for weights [M, 2], [M]."""
    logit = weights.astype(np.float64) @ inputs.T
    log_prior = -0.5 * (weights**2).sum(axis=1) - np.log(2 * np.pi)
    return logit @ labels - np.logaddexp(0, logit).sum(axis=1) + log_prior


def gap(mean: np.ndarray, covariance: np.ndarray, weights: np.ndarray, cell: float, log_posterior: np.ndarray) -> float:
    """KL[Q || posterior] of a Gaussian Q in nats, from the posterior's logarithm [M] on a grid of weights [M, 2]."""
    noise = np.linalg.solve(np.linalg.cholesky(covariance), (weights - mean).T)
    log_q = -0.5 * (noise**2).sum(axis=0) - np.log(2 * np.pi) - 0.5 * np.linalg.slogdet(covariance)[1]
    return float((np.exp(log_q) * cell) @ (log_q - log_posterior))


def measure_posterior(inputs: np.ndarray, labels: np.ndarray, seed: int = 0) -> dict[str, object]:
    """The exact posterior of the two weights beside both Gaussians.

    Args:
        inputs, labels: [N, 2] and [N], the data.
        seed: of the samples of the bound.

    Returns:
        log_evidence_nats: ln P(labels|inputs).
        correlation: of the two weights in the exact posterior.
        predicted_ratio: sqrt(1 - correlation^2), what the closed form says of a diagonal Gaussian's stddevs.
        exact, mean_field, full_covariance: what `moments` says, and of the Gaussians gap_nats and ratio, of their
            stddevs to the exact ones, [2].
    """
    weights, cell = code_grid()
    log_density = log_joint(weights, inputs, labels)
    log_evidence = log_integral(log_density, cell)
    mass = np.exp(log_density - log_evidence) * cell
    mean = mass @ weights
    exact = moments(mean, (weights - mean).T @ ((weights - mean) * mass[:, np.newaxis]))
    numbers = {"log_evidence_nats": log_evidence, "correlation": exact["correlation"], "exact": exact}
    numbers["predicted_ratio"] = np.sqrt(1 - exact["correlation"] ** 2)
    for name, full_covariance in FAMILIES.items():
        gaussian = fit(inputs, labels, full_covariance, seed=seed)
        numbers[name] = moments(*gaussian) | {"gap_nats": gap(*gaussian, weights, cell, log_density - log_evidence)}
        numbers[name]["ratio"] = np.divide(numbers[name]["weight_stddev"], exact["weight_stddev"]).tolist()
    return numbers


def moments(mean: np.ndarray, covariance: np.ndarray) -> dict[str, object]:
    """Of two weights: mean and stddev, [2] each, correlation, and the stddevs of their sum and of their difference."""
    (first, both), (_, second) = np.array(covariance, np.float64)
    return {
        "weight_mean": np.array(mean, np.float64).tolist(),
        "weight_stddev": [np.sqrt(first), np.sqrt(second)],
        "correlation": both / np.sqrt(first * second),
        "sum_stddev": np.sqrt(first + second + 2 * both),
        "difference_stddev": np.sqrt(first + second - 2 * both),
    }


def draw(numbers: dict):
    """The posterior with seed 0, and the stddevs of weights, sum and difference as ratios to the exact, over seeds."""
    with plotting.new_picture(16, 9) as picture:
        left, right = picture.subplots(1, 2)
        draw_posterior(left, numbers)
        draw_ratios(right, numbers)
        left.legend(loc="lower left")
    return picture


def draw_posterior(axes, numbers: dict) -> None:
    """The regions of the exact posterior of the first seed's images, and the half-mass lines of its two Gaussians."""
    inputs, labels = two_pixels(mnist.load("train"), seed=0)
    mean = np.array(numbers["exact"]["weight_mean"]["values"][0])
    weights = mean + code_grid(points=201, half_width=2.0)[0]
    plotting.fill_posterior(axes, weights, log_joint(weights, inputs, labels))
    for name, (label, color, dash, _) in SIGNS.items():
        of_seed = {key: np.array(numbers[name][key]["values"][0]) for key in ("weight_mean", "weight_stddev")}
        correlation = numbers[name]["correlation"]["values"][0]
        covariance = np.outer(*[of_seed["weight_stddev"]] * 2) * [[1, correlation], [correlation, 1]]
        axes.plot(*plotting.half_mass_ellipse(of_seed["weight_mean"], covariance), dash, color=color, label=label)
    axes.set(xlabel="weight of the upper pixel", ylabel="weight of the lower pixel", aspect="equal")
    axes.set(xlim=mean[0] + np.array([-1.4, 1.4]), ylim=mean[1] + np.array([-1.4, 1.4]))
    axes.set_title("Posterior (50, 90, 99 % of its mass)\nand the half-mass lines of Q")


def draw_ratios(axes, numbers: dict) -> None:
    """Bars with the stddevs over seeds, and the closed form for the weights."""
    places = np.arange(4)
    for shift, (name, (_, color, _, hatch)) in zip((-0.2, 0.2), SIGNS.items(), strict=True):
        of_seeds = [np.array(numbers[name]["ratio"]["values"])]
        for key in ("sum_stddev", "difference_stddev"):
            ratio = np.divide(numbers[name][key]["values"], numbers["exact"][key]["values"])
            of_seeds.append(ratio[:, np.newaxis])
        ratios = np.hstack(of_seeds)  # [seeds, 4]
        style = {"color": color, "hatch": hatch, "edgecolor": "white", "capsize": 8}
        axes.bar(places + shift, ratios.mean(axis=0), 0.36, yerr=ratios.std(axis=0, ddof=1), **style)
    axes.axhline(1, color=plotting.EXACT)
    predicted = numbers["predicted_ratio"]["mean"]
    axes.plot([-0.45, 1.45], [predicted] * 2, ":", color=plotting.EXACT)
    axes.set_xticks(places, ["upper", "lower", "sum", "difference"])
    axes.set(ylabel="stddev / exact stddev", ylim=(0, None))
    axes.set_title("Stddevs over seeds; dotted, of the\nweights' correlation r, $\\sqrt{1 - r^2}$")


main = over_seeds.command(measure, draw, "mean_field")


if __name__ == "__main__":
    command_line.run(main)
