"""Slides 4-6: the notes' exercises, for you to write.

    python lectures/exercises/lower_bound.py

prints what each function returns beside the answer and its unit. The notes say more on each question, and
lectures/solutions has one solution of each.
"""

from lecture10_vae import lower_bound
from lecture10_vae.studies import bound_on_grid, evidence
from lecture10_vae.tf1 import tf, tfd
from lecture10_vae.utils import command_line
from lectures.solutions.answers import compare


def gap_of_the_prior() -> float:
    """Exercise 1: How far below ln P(x) does the bound stay if Q(z) is the prior?"""
    raise NotImplementedError


def gap_when_twice_as_bent() -> float:
    """Exercise 2: How far does the best diagonal Gaussian stay below it if the decoder is twice as bent?"""
    raise NotImplementedError


def gap_with_fifty_samples() -> float:
    """Exercise 3: How far with the script's decoder, if 50 samples of that Gaussian make one bound?"""
    raise NotImplementedError


def gap_of_mean_field() -> float:
    """Exercise 4: How far does the best mean-field Gaussian stay below it if the posterior has correlation 0.9?"""
    raise NotImplementedError


if __name__ == "__main__":
    command_line.run(lambda: compare("lower_bound", globals()))
