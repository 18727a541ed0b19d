"""Slide 26: what the divergence tells. Its mean over images is not what the code knows of the image, but more:

    mean KL[Q(z|x) || P(z)] = I(x; z) + KL[Q(z) || P(z)],        Q(z) = mean of Q(z|x) over the images

I(x; z) is the mutual information of an image, each being as likely, and its code; Q(z), the aggregate posterior, is how
the codes of all images are distributed. (Hoffman, Johnson 2016: "ELBO surgery".)

    .venv/bin/python lecture10_vae/beyond/experiments/information.py

A minute a seed, and half a minute more where vae.py has not been trained with it yet.
"""

from types import SimpleNamespace

from lecture10_vae.beyond.experiments import over_seeds, trained
from lecture10_vae.tf1 import tf
from lecture10_vae.utils import command_line, mnist, plotting

import numpy as np
from scipy.special import xlogy
from scipy.stats import norm

STDDEVS = 8.0  # how far from a Gaussian's mean the grid reaches; outside are 1e-15 of its mass


def measure(seed: int) -> dict:
    """The mean divergence as mutual information and the aggregate's divergence, on all test images, by epoch."""
    images = mnist.load("test").images
    by_epoch = [measure_information(session, model, images) for session, model in trained.by_epoch(seed)]
    return {"epochs": trained.EPOCHS, "test": over_seeds.in_columns(by_epoch)}


def measure_information(session: tf.Session, model: SimpleNamespace, images: np.ndarray) -> dict[str, float]:
    """Both sides of the equation for images [N, 28, 28], in nats, and exp(I), a number of equally likely kinds."""
    mean, stddev, kl = session.run([model.mean, model.stddev, model.kl], {model.images: images})
    information, aggregate_kl = split(mean, stddev)
    return {
        "mean_kl_nats": kl.mean(dtype=np.float64),
        "mutual_information_nats": information,
        "aggregate_kl_nats": aggregate_kl,
        "kinds": np.exp(information),
    }


def split(mean: np.ndarray, stddev: np.ndarray) -> tuple[float, float]:
    """I(x; z) and KL[Q(z) || N(0, I)] in nats, by quadrature, for Gaussians Q(z|x) of mean and stddev [N, 2].

    The codes' dimensions are independent given the image, so that Q(z|x) on a grid of codes is a product of two rows,
    and the mean over images a matrix product.
    """
    mean, stddev = np.float64(mean), np.float64(stddev)
    axes = [line(mean[:, i], stddev[:, i]) for i in range(2)]
    rows = [norm.pdf(axis, mean[:, i, np.newaxis], stddev[:, i, np.newaxis]) for i, axis in enumerate(axes)]  # [N, M]
    cells = [axis[1] - axis[0] for axis in axes]
    aggregate = rows[0].T @ rows[1] / len(mean)  # [M, M]
    entropy = -xlogy(aggregate, aggregate).sum() * cells[0] * cells[1]
    entropies = sum(-xlogy(row, row).sum(axis=1).mean() * cell for row, cell in zip(rows, cells, strict=True))
    log_prior = np.add.outer(*(norm.logpdf(axis) for axis in axes))
    return entropy - entropies, -entropy - (aggregate * log_prior).sum() * cells[0] * cells[1]


def line(mean: np.ndarray, stddev: np.ndarray) -> np.ndarray:
    """An even grid [M] that holds Gaussians on a line, mean and stddev [N]; its step is half the smallest stddev."""
    low, high = (mean - STDDEVS * stddev).min(), (mean + STDDEVS * stddev).max()
    return np.linspace(low, high, int(np.ceil((high - low) / (stddev.min() / 2))) + 1)


def draw(numbers: dict):
    """A bar an epoch: I(x;z) with KL[Q(z) || P(z)] on it, mean over seeds, and the stddev of their sum."""
    names = [str(round(epoch)) for epoch in numbers["epochs"]["mean"]]
    information = numbers["test"]["mutual_information_nats"]["mean"]
    aggregate, total = numbers["test"]["aggregate_kl_nats"]["mean"], numbers["test"]["mean_kl_nats"]
    above = {"color": plotting.LIGHT_ORANGE, "hatch": plotting.HATCH, "edgecolor": "white"}
    above["label"] = "KL[Q(z) || P(z)]: how far all codes together are from the prior"
    below = {"color": plotting.BLUE, "label": "I(x; z): what the code tells of the image"}
    with plotting.new_picture(*plotting.SCREEN) as picture:
        axes = picture.add_subplot()
        low = axes.bar(names, information, **below)
        high = axes.bar(names, aggregate, bottom=information, **above)
        right = np.arange(len(names)) + 0.3  # beside the numbers
        axes.errorbar(right, total["mean"], total["stddev"], color="black", fmt="none", capsize=6)
        for bars, values, color in ((low, information, "white"), (high, aggregate, "black")):
            texts = [f"{value:.2f}" if value > 0.3 else "" for value in values]  # what there is room for
            axes.bar_label(bars, texts, label_type="center", color=color)
        axes.set(xlabel="epoch", ylabel="mean KL[Q(z|x) || P(z)] in nats", ylim=(0, 1.3 * np.max(total["mean"])))
        axes.legend(loc="upper left")
    return picture


main = over_seeds.command(measure, draw, "information")


if __name__ == "__main__":
    command_line.run(main)
