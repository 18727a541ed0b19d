"""Slide 26: how many of a code's dimensions are in use. The others have nearly Q(z_i|x) = P(z_i): they collapsed."""

from types import SimpleNamespace

from lecture10_vae.tf1 import tf

import numpy as np

IN_USE = 0.1  # nats: a dimension whose mean divergence from the prior is less is not in use


def divergences(session: tf.Session, model: SimpleNamespace, images: np.ndarray) -> np.ndarray:
    """KL[Q(z_i|x) || N(0, 1)] for each dimension of the code, mean over images [N, 28, 28], in nats: [code_size]."""
    mean, stddev = session.run([model.mean, model.stddev], {model.images: images})
    return ((mean**2 + stddev**2 - 1) / 2 - np.log(stddev)).mean(axis=0)


def measure(session: tf.Session, model: SimpleNamespace, images: np.ndarray) -> dict[str, int]:
    """How many dimensions of the code are in use."""
    return {"dimensions_in_use": int((divergences(session, model, images) > IN_USE).sum())}


def describe(numbers: dict[str, int], code_size: int) -> str:
    """A line that says so."""
    return f"{numbers['dimensions_in_use']} of {code_size} code dimensions in use (KL above {IN_USE} nats)"
