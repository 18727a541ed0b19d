"""Slides 11 and 27-29: the notes' exercises, for you to write.

    python lectures/exercises/bayesian_network.py

prints what each function returns beside the answer and its unit. The notes say more on each question, and
lectures/solutions has one solution of each.
"""

from lecture10_vae import bayesian_network
from lecture10_vae.studies import pruning
from lecture10_vae.studies.training import train
from lecture10_vae.tf1 import tf, tfd
from lecture10_vae.utils import command_line, mnist
from lectures.solutions.answers import compare


def share_of_the_divergence() -> float:
    """Exercise 1: What is an image's share of the divergence before training?"""
    raise NotImplementedError


def weights_to_spare() -> float:
    """Exercise 2: How many weights can go, by signal to noise, before the accuracy falls by one percentage point?"""
    raise NotImplementedError


def bound_with_a_better_prior() -> float:
    """Exercise 3: What bound does the network reach with the best of four stddevs of the prior: 1, 0.3, 0.1, 0.03?"""
    raise NotImplementedError


if __name__ == "__main__":
    command_line.run(lambda: compare("bayesian_network", globals()))
