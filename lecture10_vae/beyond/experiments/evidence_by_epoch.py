"""Slide 6 while the decoder learns, too: what training does to ln P(x), to the bound, and to the gap between them.

    .venv/bin/python lecture10_vae/beyond/experiments/evidence_by_epoch.py

A minute a seed, and half a minute more where vae.py has not been trained with it yet.
"""

from types import SimpleNamespace

from lecture10_vae.beyond.experiments import over_seeds, trained
from lecture10_vae.studies import evidence, gaussians
from lecture10_vae.studies.gaussians import Gaussian
from lecture10_vae.tf1 import tf
from lecture10_vae.utils import command_line, mnist, plotting

import numpy as np


def measure(seed: int) -> dict:
    """ln P(x), the bound and the gap on training and on test images, at the epochs of slide 26."""
    parts = {part: mnist.load(part).first(trained.IMAGES).images for part in ("train", "test")}
    by_epoch = [
        {part: measure_gap(session, model, images) for part, images in parts.items()}
        for session, model in trained.by_epoch(seed)
    ]
    return {"epochs": trained.EPOCHS} | over_seeds.in_columns(by_epoch)


def measure_gap(session: tf.Session, model: SimpleNamespace, images: np.ndarray) -> dict[str, float]:
    """ln P(x), the bound and their difference, the divergence KL[Q(z|x) || P(z|x)]: means over images, in nats."""
    encoder = Gaussian(*session.run([model.mean, model.stddev], {model.images: images}))
    log_likelihood = evidence.by_quadrature(session, model, images, evidence.reach(encoder.mean)).log_likelihood.mean()
    bound = gaussians.bounds(session, model, images, encoder).mean()
    return {"log_likelihood_nats": log_likelihood, "bound_nats": bound, "gap_nats": log_likelihood - bound}


def draw(numbers: dict):
    """ln P(x) and the bound on test images, and the gap on both sets, mean and stddev over seeds, from epoch 1 on."""
    epochs = np.array(numbers["epochs"]["mean"])
    shown = epochs >= 1  # the untrained model's bound is 400 nats below

    def draw_line(axes, spread, label, color, marker):
        mean, stddev = np.array(spread["mean"])[shown], np.array(spread["stddev"])[shown]
        axes.errorbar(epochs[shown], mean, stddev, color=color, marker=marker, capsize=6, label=label)

    with plotting.new_picture(*plotting.SCREEN) as picture:
        left, right = picture.subplots(1, 2)
        draw_line(left, numbers["test"]["log_likelihood_nats"], "ln P(x)", plotting.EXACT, "^")
        draw_line(left, numbers["test"]["bound_nats"], "bound", plotting.BLUE, "o")
        draw_line(right, numbers["test"]["gap_nats"], "test images", plotting.BLUE, "o")
        draw_line(right, numbers["train"]["gap_nats"], "training images", plotting.ORANGE, "s")
        left.set(title="ln P(x) and the bound", xlabel="epoch", ylabel="nats per test image")
        right.set(title="The gap between them", xlabel="epoch", ylabel="ln P(x) - bound in nats")
        right.set_ylim(bottom=0)
        for axes in (left, right):
            axes.set_xticks(epochs[shown])
            axes.legend(loc="lower right")
    return picture


main = over_seeds.command(measure, draw, "evidence_by_epoch")


if __name__ == "__main__":
    command_line.run(main)
