"""The gaps of Cremer, Li, Duvenaud 2018, from what cremer.py measures of each image; the paper's beside them."""

from typing import NamedTuple

import numpy as np

from lecture10_vae.beyond import annealing, importance

# Table 2, MNIST, factorized Gaussian encoder: quoted from memory, so "about". Their public code (lxuechen/
# inference-suboptimality) measures the first 1,000 training images, anneals through 10,000 distributions from the prior
# on with 100 chains, and its networks have elu units.
PAPER = {"log_likelihood": -89.80, "best_elbo": -91.23, "encoder_elbo": -92.57}


class Measured(NamedTuple):
    """Of N images."""

    encoder: importance.Estimate  # by codes of the encoder's Q(z|x)
    best: importance.Estimate  # by codes of the best Gaussian that was found
    annealed: annealing.Estimate  # from that Gaussian on
    from_prior: annealing.Estimate  # of the first images only, from the prior on
    elbo_by_step: dict[int, float]  # of the search for the best Gaussian, mean over images


def summarize(measured: Measured) -> dict[str, object]:
    """Means in nats, each with its standard error over images and the part of it that is by sampling."""
    encoder, best, annealed, from_prior, elbo_by_step = measured
    some = len(from_prior.log_likelihood)
    exact, error = annealed.log_likelihood, annealed.error
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
        "annealed_over_from_prior": (
            exact[:some] - from_prior.log_likelihood,
            np.hypot(error[:some], from_prior.error),
        ),
    }
    numbers = {"elbo_by_step_nats": {str(step): elbo for step, elbo in elbo_by_step.items()}}
    for name, (of_each, sampling) in values.items():
        numbers[f"{name}_nats"] = of_each.mean()
        numbers[f"{name}_standard_error_nats"] = of_each.std(ddof=1) / np.sqrt(len(of_each))
        numbers[f"{name}_sampling_error_nats"] = np.sqrt((sampling**2).sum()) / len(of_each)
    for name, estimate in (("annealed", annealed), ("from_prior", from_prior)):
        numbers[f"{name}_accepted"], numbers[f"{name}_least_accepted"] = (
            estimate.accepted.mean(),
            estimate.accepted.min(),
        )
    return numbers | {"images": len(exact), "images_from_prior": some}


def describe(numbers: dict[str, object]) -> str:
    """The table, the paper's figures beside, and what can be said of them."""
    lines = ["", "nats per image (standard error over images; by sampling alone)"]
    for name, title in (
        ("log_likelihood", "ln P(x), AIS from the best Gaussian"),
        ("best_elbo", "bound, best Gaussian for each image"),
        ("encoder_elbo", "bound, encoder"),
        ("approximation_gap", "approximation gap"),
        ("amortization_gap", "amortization gap"),
        ("annealed_over_half_the_chains", "AIS over AIS by half of the chains"),
        ("annealed_over_best_importance", "AIS over IS by the best Gaussian"),
        ("annealed_over_encoder_importance", "AIS over IS by the encoder"),
        ("annealed_over_from_prior", "AIS over AIS from the prior"),
    ):
        mean, *errors = (numbers[f"{name}_{kind}nats"] for kind in ("", "standard_error_", "sampling_error_"))
        lines.append(f"    {title:40s}{mean:8.2f} ({errors[0]:.2f}; {errors[1]:.2f})")
    log_likelihood, best, encoder = PAPER.values()
    lines.append(
        f"Cremer et al. 2018, table 2: about {log_likelihood}, {best}, {encoder}, so gaps of about "
        f"{log_likelihood - best:.2f} and {best - encoder:.2f}:\n"
        "another network on other images. What compares is the size and the order of the gaps, not ln P(x).\n"
        "In the mean each ln P(x) is a lower bound, so that both gaps together are at least what they say.\n"
        "The best Gaussian is the best that was found: a better one would move some of the first gap to the second."
    )
    return "\n".join(lines)
