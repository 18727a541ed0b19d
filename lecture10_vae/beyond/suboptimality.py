"""The gaps of Cremer, Li, Duvenaud 2018, from what cremer.py measures of each image."""

from typing import NamedTuple

from lecture10_vae.beyond import annealing, importance, models

import numpy as np


class Measured(NamedTuple):
    """Of N images."""

    encoder: importance.Estimate  # by codes of the encoder's Q(z|x)
    best: importance.Estimate  # by codes of the best Gaussian that was found
    annealed: annealing.Estimate  # from that Gaussian on
    from_prior: annealing.Estimate  # of the first images only, from the prior on


def summarize(measured: Measured) -> dict[str, object]:
    """Means in nats, each with its standard error over images and the part of it that is by sampling."""
    encoder, best, annealed, from_prior = measured
    some = len(from_prior.log_likelihood)
    exact, error = annealed.log_likelihood, annealed.error
    first = exact[:some]
    values = {
        "log_likelihood": (exact, error),
        "best_elbo": (best.elbo, best.elbo_error),
        "encoder_elbo": (encoder.elbo, encoder.elbo_error),
        "approximation_gap": (exact - best.elbo, np.hypot(error, best.elbo_error)),
        "amortization_gap": (best.elbo - encoder.elbo, np.hypot(best.elbo_error, encoder.elbo_error)),
        "inference_gap": (exact - encoder.elbo, np.hypot(error, encoder.elbo_error)),
        "annealed_over_half_the_chains": (exact - annealed.half, error),
        "encoder_importance": (encoder.log_likelihood, encoder.error),
        "best_importance": (best.log_likelihood, best.error),
        "annealed_over_encoder_importance": (exact - encoder.log_likelihood, np.hypot(error, encoder.error)),
        "annealed_over_best_importance": (exact - best.log_likelihood, np.hypot(error, best.error)),
        "from_prior": (from_prior.log_likelihood, from_prior.error),
        "annealed_over_from_prior": (first - from_prior.log_likelihood, np.hypot(error[:some], from_prior.error)),
    }
    numbers = {}
    for name, (of_each, sampling) in values.items():
        numbers[f"{name}_nats"] = of_each.mean()
        numbers[f"{name}_standard_error_nats"] = of_each.std(ddof=1) / np.sqrt(len(of_each))
        numbers[f"{name}_sampling_error_nats"] = np.sqrt((sampling**2).sum()) / len(of_each)
    for name, accepted in (("annealed", annealed.accepted), ("from_prior", from_prior.accepted)):
        numbers[f"{name}_accepted"], numbers[f"{name}_least_accepted"] = accepted.mean(), accepted.min()
    return numbers | {"images": len(exact), "images_from_prior": some}


def show(numbers: dict[str, object]) -> None:
    """Prints the table, and the paper's figures. In the mean each ln P(x) is a lower bound, and so are both gaps."""
    kinds = {"nats": "nats", "standard error": "standard_error_nats", "of it by sampling": "sampling_error_nats"}
    shown = ("log_likelihood", "best_elbo", "encoder_elbo", "approximation_gap", "amortization_gap")
    shown += tuple(f"annealed_over_{other}" for other in ("half_the_chains", "best_importance", "from_prior"))
    rows = {name: {kind: numbers[f"{name}_{key}"] for kind, key in kinds.items()} for name in shown}
    models.print_table(rows, list(kinds))
