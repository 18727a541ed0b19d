"""What a predictor that draws its weights can tell of its doubt: scores, entropies, and images to try them on.

A prediction is class probabilities [draws, N, classes], one set for each draw of the weights; a point estimate's has
one draw. A predictor is a function from images [N, 28, 28] to a prediction.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
from scipy import ndimage
from scipy.special import entr, logsumexp
from scipy.stats import mannwhitneyu

from lecture10_vae.utils import calibration

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


def report(predictors: dict[str, Predictor], images: np.ndarray, labels: np.ndarray, degrees: list[float]) -> dict:
    """Prints and returns each predictor's scores, then what turned and unfamiliar images do to it.

    The first predictor's scores are named test_accuracy and so on, another's with its name in front.
    """
    results = {"rotation": {"degrees": degrees}, "unfamiliar": {}}
    unfamiliar = make_unfamiliar(images)
    for name, predict in predictors.items():
        prefix = f"{name}_test" if results["unfamiliar"] else "test"
        scores = score(predict(images), labels)
        print(f"{name:14}", "  ".join(f"{key} {value:7.4f}" for key, value in scores.items()))
        results |= {f"{prefix}_{key}": value for key, value in scores.items()}
        results["rotation"][name] = under_rotation(predict, images, labels, degrees)
        results["unfamiliar"][name] = on_unfamiliar(predict, images, unfamiliar)
    return results


def under_rotation(predict: Predictor, images: np.ndarray, labels: np.ndarray, degrees: Iterable[float]) -> dict:
    """Accuracy and mean entropies, a list each, of images [N, 28, 28] turned by each of the degrees."""
    found = []
    for angle in degrees:
        prediction = predict(turn(images, angle))
        accuracy = np.mean(prediction.mean(axis=0).argmax(axis=1) == labels)
        found.append({"accuracy": accuracy} | split_entropy(prediction).means())
    return {name: [one[name] for one in found] for name in found[0]}


def on_unfamiliar(predict: Predictor, familiar: np.ndarray, unfamiliar: dict[str, np.ndarray]) -> dict[str, dict]:
    """Mean entropies of familiar images and of each named set of others, and how well they tell those others."""
    known = split_entropy(predict(familiar))
    found = {"test digits": known.means()}
    for name, images in unfamiliar.items():
        entropy = split_entropy(predict(images))
        found[name] = entropy.means() | {
            "separation_by_entropy": separation(known.entropy, entropy.entropy),
            "separation_by_mutual_information": separation(known.mutual_information, entropy.mutual_information),
        }
    return found


def under_pruning(weights, bias, importance, images, labels, kept: Iterable[float]) -> list[float]:
    """Accuracy of one layer, weights [784, classes] and bias [classes], with fewer and fewer of its weights kept.

    The most important are kept, by `importance` [784, classes]; images are [N, 28, 28], labels [N].
    """
    pixels = images.reshape(len(images), -1)
    logits = (pixels @ prune(weights, importance, fraction) + bias for fraction in kept)
    return [np.mean(logit.argmax(axis=1) == labels) for logit in logits]


def separation(familiar: np.ndarray, unfamiliar: np.ndarray) -> float:
    """How often an unfamiliar image has the higher value of two drawn, one from each: 1/2 is chance, 1 never fails.

    (The area under the ROC curve; ties count one half.)
    """
    return float(mannwhitneyu(unfamiliar, familiar).statistic) / (len(familiar) * len(unfamiliar))


def turn(images: np.ndarray, degrees: float) -> np.ndarray:
    """Images [N, 28, 28] turned anticlockwise about their middle; what turns in from outside is empty."""
    return ndimage.rotate(images, degrees, axes=(2, 1), reshape=False, order=1)


def make_unfamiliar(images: np.ndarray, seed: int = 0) -> dict[str, np.ndarray]:
    """As many images of each of three kinds: turned, with the pixels of each in an order of its own, uniform noise."""
    random = np.random.default_rng(seed)
    shuffled = random.permuted(images.reshape(len(images), -1), axis=1).reshape(images.shape)
    return {
        "turned by 90 degrees": turn(images, 90),
        "shuffled pixels": shuffled,
        "noise": random.random(images.shape, np.float32),
    }


def prune(weights: np.ndarray, importance: np.ndarray, kept: float) -> np.ndarray:
    """The weights with all but a fraction `kept` of them, the most important, set to zero."""
    count = round(kept * weights.size)
    pruned = np.zeros_like(weights)
    most = np.argsort(importance, axis=None, kind="stable")[weights.size - count :]
    pruned.flat[most] = weights.flat[most]
    return pruned
