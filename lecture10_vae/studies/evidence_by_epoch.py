"""Slide 6 while the decoder learns, too: what training does to ln P(x), to the bound, and to the gap between them."""

from types import SimpleNamespace

import numpy as np

from lecture10_vae.studies import evidence, gaps
from lecture10_vae.tf1 import tf


def measure(session: tf.Session, model: SimpleNamespace, images: np.ndarray) -> dict[str, float]:
    """ln P(x), the bound and their difference, the divergence KL[Q(z|x) || P(z|x)]: means over images, in nats."""
    half_width = evidence.reach(session, model, images)
    log_likelihood = evidence.by_quadrature(session, model, images, half_width).mean()
    bound = gaps.average_bound(session, model, {model.images: images}).mean()
    return {"log_likelihood_nats": log_likelihood, "bound_nats": bound, "gap_nats": log_likelihood - bound}
