"""What a predictor that draws its weights can tell of its doubt: scores, entropies, and images to try them on.

A prediction is class probabilities [draws, N, classes], one set for each draw of the weights; a point estimate's has
one draw. A predictor is a function from images [N, 28, 28] to a prediction.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from lecture10_vae.studies import calibration

import numpy as np
from scipy import ndimage, sparse
from scipy.special import entr, logsumexp

Predictor = Callable[[np.ndarray], np.ndarray]


class Entropy(NamedTuple):
    """How open a prediction leaves the class, in nats, [N] each: entropy = expected_entropy + mutual_information."""

    entropy: np.ndarray  # by the probabilities averaged over draws: all that is open
    expected_entropy: np.ndarray  # by one draw, averaged over draws: what the data leave open
    mutual_information: np.ndarray  # of class and weights: what knowing the weights would settle

    def means(self) -> dict[str, float]:
        """The three means over images, by name."""
        return {f"{name}_nats": values.mean() for name, values in self._asdict().items()}


def split_entropy(prediction: np.ndarray) -> Entropy:
    """The entropy of a prediction and its two parts (Houlsby et al. 2011, equation 2)."""
    prediction = prediction.astype(np.float64)  # the small difference of two averages follows
    entropy = entr(prediction.mean(axis=0)).sum(axis=-1)
    expected_entropy = entr(prediction).sum(axis=-1).mean(axis=0)
    return Entropy(entropy, expected_entropy, entropy - expected_entropy)


def log_predictive(prediction: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """ln P(label), the probability averaged over draws and not its logarithm, in nats, [N]."""
    with np.errstate(divide="ignore"):  # a probability that float32 rounds to 0
        log_probability = np.log(prediction[:, np.arange(len(labels)), labels].astype(np.float64))
    return logsumexp(log_probability, axis=0) - np.log(len(prediction))


def score(prediction: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Accuracy, log predictive probability and calibration error of the probabilities averaged over draws."""
    probability = prediction.mean(axis=0)
    return {
        "accuracy": float(np.mean(probability.argmax(axis=1) == labels)),
        "log_predictive_nats": log_predictive(prediction, labels).mean(),
        "calibration_error": calibration.expected_calibration_error(probability, labels),
    }


def percent_wrong(prediction: np.ndarray, labels: np.ndarray) -> float:
    """The error in percent of class probabilities [..., N, 10] for labels [N]."""
    return 100 * float(np.mean(prediction.argmax(axis=-1) != labels))


def describe(scores: dict[str, dict[str, float]]) -> str:
    """A table with a line for each named prediction's scores."""
    lines = [f"{'':20}  accuracy  log predictive  calibration"]
    for name, of_one in scores.items():
        row = "{accuracy:8.4f}  {log_predictive_nats:9.4f} nats  {calibration_error:11.4f}".format(**of_one)
        lines.append(f"{name:20}  {row}")
    return "\n".join(lines)


def on_unfamiliar(predict: Predictor, familiar: np.ndarray, unfamiliar: dict[str, np.ndarray]) -> dict[str, dict]:
    """Mean entropies of familiar images and of each named set of others, and how well they tell those others.

    Args:
        familiar: the prediction of the familiar images.
        unfamiliar: images of each set [N, 28, 28].
    """
    known = split_entropy(familiar)
    numbers = {"test digits": known.means()}
    for name, images in unfamiliar.items():
        entropy = split_entropy(predict(images))
        numbers[name] = entropy.means() | {
            "separation_by_entropy": separation(known.entropy, entropy.entropy),
            "separation_by_mutual_information": separation(known.mutual_information, entropy.mutual_information),
        }
    return numbers


def separation(familiar: np.ndarray, unfamiliar: np.ndarray) -> float:
    """How often an unfamiliar image has the higher value of two drawn, one from each: 1/2 is chance, 1 never fails.

    (The area under the ROC curve; ties count one half.)
    """
    sorted_familiar = np.sort(familiar)
    lower, not_higher = (np.searchsorted(sorted_familiar, unfamiliar, side) for side in ("left", "right"))
    return float((lower + not_higher).mean()) / 2 / len(familiar)


def turn(images: np.ndarray, degrees: float) -> np.ndarray:
    """Images [N, 28, 28] turned anticlockwise about their middle; what turns in from outside is empty.

    Turning is linear: what becomes of each pixel alone says what becomes of an image.
    """
    pixels = np.eye(784, dtype=np.float32).reshape(784, 28, 28)
    turned = ndimage.rotate(pixels, degrees, axes=(2, 1), reshape=False, order=1).reshape(784, 784)
    turned, rotated = sparse.csr_array(turned), np.empty((len(images), 28, 28), np.float32)
    for start in range(0, len(images), 1_000):  # as the product takes three times the memory of its images
        some = slice(start, start + 1_000)
        rotated[some] = (images[some].reshape(-1, 784) @ turned).reshape(-1, 28, 28)
    return rotated


def make_unfamiliar(images: np.ndarray, seed: int = 0) -> Iterator[tuple[str, np.ndarray]]:
    """Yields as many images of each of three kinds, with its name: turned, with the pixels of each shuffled, noise."""
    random = np.random.default_rng(seed)
    yield "turned by 90 degrees", turn(images, 90)
    yield "shuffled pixels", random.permuted(images.reshape(len(images), -1), axis=1).reshape(images.shape)
    yield "noise", random.random(images.shape, np.float32)
