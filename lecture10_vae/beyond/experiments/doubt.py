"""Slides 27-29: what the Bayesian layer's doubt is about, how it grows in training, and what an ensemble doubts.

Some pixels have no ink on any training digit. No label tells of their weights, so that the divergence alone moves
them to the prior, at the optimizer's pace and not by what was seen. Noise everywhere puts ink on such pixels, noise
where digits have ink does not. The baseline is a handful of point estimates that differ in their seeds (an ensemble,
Lakshminarayanan, Pritzel, Blundell 2017); their weights of blank pixels stay where they started.

    .venv/bin/python lecture10_vae/beyond/experiments/doubt.py

A minute a seed.
"""

import functools

from lecture10_vae import bayesian_network
from lecture10_vae.beyond.experiments import over_seeds
from lecture10_vae.beyond.experiments.two_layers import build_point_estimate
from lecture10_vae.studies import uncertainty
from lecture10_vae.studies.training import train, train_epochs
from lecture10_vae.tf1 import tf
from lecture10_vae.utils import command_line, mnist, plotting

import numpy as np
from scipy.special import softmax

EPOCHS = (1, 3, 10, 15, 30)
MEMBERS = 5  # of the ensemble
INKED = 0.05  # of the training digits: a pixel counts as inked if more of them have ink there
IMAGES = {  # name, title, colour, marker
    "noise": ("noise everywhere", plotting.ORANGE, "s--"),
    "noise_on_inked": ("noise where digits have ink", plotting.BLUE, "o-"),
    "digits": ("test digits", plotting.EXACT, "^:"),
}
PREDICTORS = {"bayesian": "Bayesian", "ensemble": "five layers", "point_estimate": "one layer"}


def measure(seed: int) -> dict:
    """The Bayesian layer's doubt on digits and on noise by epoch, and that of an ensemble of five point estimates."""
    data, test = mnist.load("train"), mnist.load("test")
    share = share_of_ink(data.images)
    given = test.images, test.labels, make_noise(share, seed=seed)
    numbers = measure_bayesian(data, share, given, seed)

    members = [train_point_estimate(data, MEMBERS * seed + member) for member in range(MEMBERS)]
    kernels, biases = (np.stack(arrays) for arrays in zip(*members, strict=True))
    for name, count in (("ensemble", MEMBERS), ("point_estimate", 1)):
        some = kernels[:count], biases[:count]
        numbers[name] = measure_predictor(lambda images, some=some: predict_each(images, *some), *given)
    numbers["ensemble"]["blank_stddev"] = blank_stddev(kernels.std(axis=0, ddof=1), share)
    return numbers


def measure_bayesian(data: mnist.Dataset, share: np.ndarray, given: tuple, seed: int) -> dict:
    """Of bayesian_network.py: its numbers by epoch, and at the end, by twenty draws and by as few as members."""
    by_epoch = []
    with tf.Graph().as_default(), tf.Session() as session:
        model = bayesian_network.build_graph(len(data), seed=seed)

        def predict(images, draws=20):
            return bayesian_network.predict(session, model, images, draws)

        step = model.optimize, data, max(EPOCHS), model.images, model.label
        for epoch in train_epochs(session, *step, batch_size=200, seed=seed):
            if epoch in EPOCHS:
                stddev = blank_stddev(session.run(model.stddev), share)
                by_epoch.append({"epoch": epoch, "blank_stddev": stddev} | measure_predictor(predict, *given))
        few_draws = measure_predictor(functools.partial(predict, draws=MEMBERS), *given)
    return {
        "by_epoch": over_seeds.in_columns(by_epoch),
        "bayesian": by_epoch[-1],
        "bayesian_five_draws": few_draws,
    }


def train_point_estimate(data: mnist.Dataset, seed: int) -> list[np.ndarray]:
    """The weights [784, 10] and [10] of a plain layer, trained as long as the Bayesian one."""
    with tf.Graph().as_default(), tf.Session() as session:
        tf.set_random_seed(seed)
        images, label = tf.placeholder(tf.float32, [None, 28, 28]), tf.placeholder(tf.int32, [None])
        point = build_point_estimate(images, label)
        train(session, point.optimize, data, max(EPOCHS), images, label, batch_size=200, seed=seed)
        return session.run([point.kernel, point.bias])


def share_of_ink(images: np.ndarray) -> np.ndarray:
    """For each pixel, how many of the images [N, 28, 28] have ink there: a fraction, [28, 28]."""
    return (images > 0).mean(axis=0)


def make_noise(share: np.ndarray, count: int = 2_000, seed: int = 0) -> dict[str, np.ndarray]:
    """Uniform noise: everywhere, where digits have ink by `share_of_ink`, and where none has; [count, 28, 28] each."""
    noise = np.random.default_rng(seed).random((count, 28, 28), np.float32)
    return {
        "noise": noise,
        "noise_on_inked": np.where(share > INKED, noise, 0),
        "noise_on_blank": np.where(share == 0, noise, 0),
    }


def blank_stddev(stddev: np.ndarray, share: np.ndarray) -> float:
    """Of weights' stddevs [784, 10] or [785, 10], the mean of those whose pixel has no ink on any training digit."""
    return float(stddev[:784][share.reshape(784) == 0].mean())


def predict_each(images: np.ndarray, kernels: np.ndarray, biases: np.ndarray) -> np.ndarray:
    """P(label|image) [members, N, 10] for images [N, 28, 28] by layers of weights [members, 784, 10], [members, 10]."""
    return softmax(images.reshape(len(images), 784) @ kernels + biases[:, np.newaxis], axis=2)


def measure_predictor(
    predict: uncertainty.Predictor, images: np.ndarray, labels: np.ndarray, noise: dict[str, np.ndarray]
) -> dict[str, object]:
    """`uncertainty.score` on digits that the predictor was not trained on; its doubt on those and on noise, by name."""
    familiar = predict(images)
    doubts = uncertainty.on_unfamiliar(predict, familiar, noise)
    return uncertainty.score(familiar, labels) | {"digits": doubts.pop("test digits")} | doubts


def draw(numbers: dict):
    """By epoch the stddev of blank pixels' weights and the mutual information; at the end, the entropies' two parts."""
    with plotting.new_picture(16, 9) as picture:
        grid = picture.add_gridspec(2, 2, width_ratios=[1, 1.25])
        upper, lower, right = (picture.add_subplot(place) for place in (grid[0, 0], grid[1, 0], grid[:, 1]))
        draw_epochs(upper, lower, **numbers["by_epoch"])
        draw_entropies(right, numbers)
        picture.legend(*lower.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return picture


def draw_epochs(upper, lower, epoch: dict, blank_stddev: dict, **images: dict) -> None:
    """The stddev of the weights of pixels without ink, and the mutual information on images of each kind."""
    epochs = epoch["mean"]
    upper.errorbar(epochs, blank_stddev["mean"], blank_stddev["stddev"], fmt="D-", color=plotting.GRAY, capsize=6)
    upper.axhline(1, color=plotting.GRAY, linestyle=":")
    upper.set(ylim=(0, 1.1), ylabel="stddev", title="Weights of pixels that no digit inks", xticks=epochs)
    for name, (title, color, line) in IMAGES.items():
        information = images[name]["mutual_information_nats"]
        mean, stddev = information["mean"], information["stddev"]
        lower.errorbar(epochs, mean, stddev, fmt=line, color=color, capsize=6, label=title)
    lower.set(ylim=(0, None), xlabel="epoch", ylabel="nats", title="Mutual information", xticks=epochs)


def draw_entropies(axes, numbers: dict) -> None:
    """Bars of the entropy's two parts, for each kind of images and each predictor."""
    places = np.arange(len(PREDICTORS))
    for shift, (name, (_, color, _)) in zip((-0.27, 0, 0.27), IMAGES.items(), strict=True):
        parts = ("expected_entropy_nats", "mutual_information_nats")
        open_by_draw, information = (
            np.array([numbers[predictor][name][part]["mean"] for predictor in PREDICTORS]) for part in parts
        )
        axes.bar(places + shift, open_by_draw, 0.25, color=color, alpha=0.35)
        axes.bar(places + shift, information, 0.25, open_by_draw, color=color, hatch=plotting.HATCH, edgecolor="white")
    axes.axhline(np.log(10), color=plotting.GRAY, linestyle=":")
    axes.annotate("no idea: ln 10", (2.4, np.log(10)), ha="right", va="bottom", fontsize="small")
    axes.set_xticks(places, PREDICTORS.values())
    axes.set(ylabel="entropy in nats", title="At the end: entropy, of it hatched\nwhat the draws disagree about")


main = over_seeds.command(measure, draw, "doubt")


if __name__ == "__main__":
    command_line.run(main)
