"""Slides 13-16: the notes' exercises, for you to write.

    python lectures/exercises/distributions.py

prints what each function returns beside the answer and its unit. The notes say more on each question, and
lectures/solutions has one solution of each.
"""

from lecture10_vae.tf1 import tf, tfd
from lecture10_vae.utils import command_line
from lectures.solutions.answers import compare


def divergence_the_other_way() -> float:
    """Exercise 1: What is the divergence of ten standard normals from ten Gaussians with mean 1 and stddev 0.5?"""
    raise NotImplementedError


def samples_for_one_percent() -> float:
    """Exercise 2: How many samples give the divergence the other way to one percent?"""
    raise NotImplementedError


def ratio_of_stddevs() -> float:
    """Exercise 3: Of the two Gaussians nearest to a mixture, by each direction, how much wider is the one?"""
    raise NotImplementedError


if __name__ == "__main__":
    command_line.run(lambda: compare("distributions", globals()))
