"""Slide 8: what it costs to infer each image's Q(z) by gradient ascent, and what an encoder loses by not doing so.

A model is the VAE of slide 23; `each_image` is slide 7's, on the VAE's decoder and in its graph.
"""

import time
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

from lecture10_vae.studies import evidence, gaussians
from lecture10_vae.studies.gaussians import Gaussian
from lecture10_vae.tf1 import tf

import numpy as np

RECORDED_STEPS = (0, 1, 2, 5, 10, 20, 50, 100, 200, 400)


class Gaps(NamedTuple):
    """Of N images, in nats."""

    log_likelihood: np.ndarray  # [N], ln P(x) by quadrature
    per_image_elbo: np.ndarray  # [N], of the best Gaussian for each image
    encoder_elbo: np.ndarray  # [N], of the encoder's
    per_image: Gaussian
    encoder: Gaussian
    elbo_by_step: dict[int, float]  # mean over the images, from the prior on
    inference_seconds: float  # of all gradient steps
    encoder_seconds: float  # of one pass


def inverse_softplus(value):
    """What softplus sends to the value."""
    return np.log(np.expm1(value))


def average_bound(session: tf.Session, model: SimpleNamespace, feed: dict, draws: int = 100) -> np.ndarray:
    """The bound of each image, [N] in nats, averaged over draws of its code; the VAE's or that of slide 7."""
    return np.mean([session.run(model.elbo, feed) for _ in range(draws)], axis=0)


def infer_images(
    session: tf.Session,
    each_image: SimpleNamespace,
    infer: tf.Operation,
    images: np.ndarray,
    start: Gaussian | None = None,
    steps: int = 400,
    rate: float = 0.1,
) -> tuple[dict[int, float], float]:
    """Fits mean and stddev of each image, theta fixed: from the prior, or from a start, on.

    Args:
        infer: `each_image.infer`, or `each_batch` of it, which is faster.

    Returns:
        elbo_by_step: in nats, mean over the images, at the recorded steps.
        seconds: that the gradient steps took.
    """
    session.run(each_image.begin)
    if start is not None:
        mean, stddev = each_image.every_posterior.trainable_variables
        mean.load(start.mean, session)
        stddev.load(inverse_softplus(start.stddev), session)
    feed = {each_image.images: images, each_image.index: np.arange(len(images))}
    elbo_by_step, seconds = {}, 0.0
    for step in range(steps + 1):
        if step in RECORDED_STEPS:
            elbo_by_step[step] = float(average_bound(session, each_image, feed, draws=10).mean())
        started = time.perf_counter()
        if step < steps:  # a rate that falls to 0 lets the noise of the samples average out
            session.run(infer, feed | {each_image.inference_rate: rate * (1 - step / steps)})
        seconds += time.perf_counter() - started
    return elbo_by_step, seconds


def measure(
    session: tf.Session, model: SimpleNamespace, each_image: SimpleNamespace, infer: tf.Operation, images: np.ndarray
) -> Gaps:
    """Slide 8 on images [N, 28, 28]: the exact ln P(x), the best Gaussian for each image, and the encoder's.

    The best Gaussian is the best that was found, so that its bound is from below.
    """
    feed = {model.images: images}
    session.run([model.mean, model.stddev], feed)  # the first call of a session also prepares the graph
    started = time.perf_counter()
    encoder = Gaussian(*session.run([model.mean, model.stddev], feed))
    encoder_seconds = time.perf_counter() - started
    log_likelihood, _ = evidence.by_quadrature(session, model, images, evidence.reach(encoder.mean))
    start = gaussians.start(session, model, images, encoder)
    best = gaussians.refit(session, model, images, start)
    encoder_elbo, best_elbo = (gaussians.bounds(session, model, images, each) for each in (encoder, best))
    elbo_by_step, seconds = infer_images(session, each_image, infer, images)
    return Gaps(log_likelihood, best_elbo, encoder_elbo, best, encoder, elbo_by_step, seconds, encoder_seconds)


def posterior_around(
    session: tf.Session, model: SimpleNamespace, image: np.ndarray, gaussians: list[tuple[np.ndarray, np.ndarray]]
) -> tuple[np.ndarray, np.ndarray]:
    """A grid of codes [101 * 101, 2] around Gaussians (mean [2], stddev [2]), and ln P(x,z) of the image on it."""
    around = np.mean([mean for mean, _ in gaussians], axis=0)
    width = max(np.abs(mean - around).max() + 4 * stddev.max() for mean, stddev in gaussians)
    codes = around + evidence.code_grid(points=101, half_width=width)[0]
    return codes, evidence.log_joint(image[np.newaxis], *evidence.decode(session, model, codes))[0]


def summarize(gaps: Gaps) -> dict[str, object]:
    """Means and standard errors over the images in nats, and seconds per 1,000 images."""
    exact, best, encoder = gaps.log_likelihood, gaps.per_image_elbo, gaps.encoder_elbo
    values = {"test_log_likelihood": exact, "per_image_elbo": best, "encoder_elbo": encoder}
    values |= {"approximation_gap": exact - best, "amortization_gap": best - encoder, "inference_gap": exact - encoder}
    numbers = {"per_image_elbo_by_step_nats": {str(step): elbo for step, elbo in gaps.elbo_by_step.items()}}
    for name, of_each in values.items():
        numbers[f"{name}_nats"] = of_each.mean()
        numbers[f"{name}_standard_error_nats"] = of_each.std(ddof=1) / np.sqrt(len(of_each))
    numbers["encoder_seconds_per_1000_images"] = gaps.encoder_seconds * 1_000 / len(exact)
    numbers["inference_seconds_per_1000_images"] = gaps.inference_seconds * 1_000 / len(exact)
    return numbers


def describe(numbers: dict[str, object], images: int, logdir: Path) -> str:
    """The gaps of the VAE in a folder, as Cremer et al. lay theirs out."""
    lines = [f"\nThe VAE of {logdir} on the first {images:,} test images, grey:\nnats per image (standard error)"]
    for name, title in (
        ("test_log_likelihood", "ln P(x), not a log likelihood"),
        ("per_image_elbo", "bound, best Gaussian for each image"),
        ("encoder_elbo", "bound, encoder"),
        ("approximation_gap", "approximation gap"),
        ("amortization_gap", "amortization gap"),
        ("inference_gap", "both: inference gap"),
    ):
        mean, error = numbers[f"{name}_nats"], numbers[f"{name}_standard_error_nats"]
        lines.append(f"    {title:36s}{mean:9.2f} ({error:.2f})")
    for name, title in (
        ("encoder", "encoder, one pass"),
        ("inference", f"{RECORDED_STEPS[-1]} gradient steps for each image"),
    ):
        lines.append(f"    {title:36s}{numbers[f'{name}_seconds_per_1000_images']:9.3f} s per 1,000")
    return "\n".join(lines)
