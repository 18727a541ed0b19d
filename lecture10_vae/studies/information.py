"""Slide 26: what the divergence tells. Its mean over images is not what the code knows of the image, but more:

    mean KL[Q(z|x) || P(z)] = I(x; z) + KL[Q(z) || P(z)],        Q(z) = mean of Q(z|x) over the images

I(x; z) is the mutual information of an image, each being as likely, and its code; Q(z), the aggregate posterior, is how
the codes of all images are distributed. (Hoffman, Johnson 2016: "ELBO surgery".)
"""

from types import SimpleNamespace

import numpy as np
from scipy.special import xlogy
from scipy.stats import norm

from lecture10_vae.tf1 import tf

STDDEVS = 8.0  # how far from a Gaussian's mean the grid reaches; outside are 1e-15 of its mass


def measure(session: tf.Session, model: SimpleNamespace, images: np.ndarray) -> dict[str, float]:
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
