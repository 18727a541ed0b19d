"""Slides 17-18: the notes' exercises, for you to write.

    python lectures/exercises/regression.py

prints what each function returns beside the answer and its unit. The notes say more on each question, and
lectures/solutions has one solution of each.
"""

from lecture10_vae import regression
from lecture10_vae.studies.training import train
from lecture10_vae.tf1 import tf, tfd
from lecture10_vae.utils import command_line, mnist
from lectures.solutions.answers import compare


def log_prob_of_knowing_nothing() -> float:
    """Exercise 1: What is the log probability of labels if all ten outputs are always 0.1?"""
    raise NotImplementedError


def log_prob_with_the_best_stddev() -> float:
    """Exercise 2: What is it after three epochs, with the one stddev that suits the errors best in place of 1?"""
    raise NotImplementedError


def accuracy_with_a_low_floor() -> float:
    """Exercise 3: How accurate is a network whose learned stddev may fall to 0.05, not 0.2?"""
    raise NotImplementedError


if __name__ == "__main__":
    command_line.run(lambda: compare("regression", globals()))
