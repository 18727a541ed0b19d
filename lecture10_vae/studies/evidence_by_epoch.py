"""Slide 6 while the decoder learns, too: what training does to ln P(x), to the bound, and to the gap between them."""

from types import SimpleNamespace

import numpy as np

from lecture10_vae.studies import evidence, gaussians
from lecture10_vae.studies.gaussians import Gaussian
from lecture10_vae.tf1 import tf


def measure(session: tf.Session, model: SimpleNamespace, images: np.ndarray) -> dict[str, float]:
    """ln P(x), the bound and their difference, the divergence KL[Q(z|x) || P(z|x)]: means over images, in nats."""
    encoder = Gaussian(*session.run([model.mean, model.stddev], {model.images: images}))
    log_likelihood = evidence.by_quadrature(session, model, images, evidence.reach(encoder.mean)).log_likelihood.mean()
    bound = gaussians.bounds(session, model, images, encoder).mean()
    return {"log_likelihood_nats": log_likelihood, "bound_nats": bound, "gap_nats": log_likelihood - bound}
