"""The answers to the exercises: a section's name is that of its solutions' file, an answer's that of its function.

The lecture notes print them, and tests/test_solutions.py holds the solutions to them. The notes are made without
TensorFlow, so that nothing here may need it.
"""

import math
from collections.abc import Callable
from typing import NamedTuple


class Answer(NamedTuple):
    """A number to reach; the tolerance, of one digit, covers other seeds and other machines.

    Where an answer depends on the seed, the value is the mean over seeds 0 to 4, rounded, and the tolerance is about
    twice the stddev, or more.
    """

    value: float
    tolerance: float
    unit: str = ""

    def __str__(self) -> str:
        decimals = max(0, -math.floor(math.log10(self.tolerance)))
        return f"{self.value:.{decimals}f} ± {self.tolerance:.{decimals}f} {self.unit}".rstrip()

    def covers(self, measured: float) -> bool:
        return abs(measured - self.value) <= self.tolerance


ANSWERS = {
    "lower_bound": {
        "gap_of_the_prior": Answer(9.03, 0.01, "nats"),
        "gap_when_twice_as_bent": Answer(0.480, 0.001, "nats"),
        "gap_with_fifty_samples": Answer(0.100, 0.005, "nats"),
        "gap_of_mean_field": Answer(0.830, 0.001, "nats"),
    },
    "variational_inference": {
        "price_of_a_code": Answer(4.615, 0.001, "nats"),
        "won_by_a_hundred_steps": Answer(2, 1, "nats"),
        "more_lost_on_test_images": Answer(6, 3, "nats"),
    },
    "vae": {
        "bound_without_a_code": Answer(-205.81, 0.01, "nats"),
        "bound_when_averaged_over_pixels": Answer(-206.3, 0.2, "nats"),
        "alike_by_code": Answer(94, 2, "%"),
        "bound_with_a_covariance": Answer(-165, 2, "nats"),
    },
    "bayesian_network": {
        "share_of_the_divergence": Answer(0.459, 0.001, "nats"),
        "weights_to_spare": Answer(68, 4, "%"),
        "bound_with_a_better_prior": Answer(-0.400, 0.002, "nats"),
    },
    "distributions": {
        "divergence_the_other_way": Answer(28.07, 0.01, "nats"),
        "samples_for_one_percent": Answer(794, 6),
        "ratio_of_stddevs": Answer(4.12, 0.02),
    },
    "regression": {
        "log_prob_of_knowing_nothing": Answer(-9.639, 0.001, "nats"),
        "log_prob_with_the_best_stddev": Answer(8.1, 0.5, "nats"),
        "accuracy_with_a_low_floor": Answer(90, 2, "%"),
    },
    "classification": {
        "log_prob_of_one_confidence": Answer(-0.117, 0.001, "nats"),
        "loss_with_one_hot_labels": Answer(0.329, 0.001, "nats"),
        "best_temperature": Answer(1.54, 0.05),
    },
}


def compare(section: str, functions: dict[str, Callable[[], float]]) -> None:
    """Runs a section's solutions, out of the functions by name, and prints what each measures beside the answer."""
    for name, answer in ANSWERS[section].items():
        shown = f"{name.replace('_', ' '):34s}"
        try:
            measured = functions[name]()
        except NotImplementedError:
            print(f"{shown}not written yet")
        else:
            verdict = "yes" if answer.covers(measured) else "not yet"
            print(f"{shown}{measured:10.4f}    expected {answer}    {verdict}")
