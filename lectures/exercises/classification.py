"""Slides 19-20: the notes' exercises, for you to write.

    python lectures/exercises/classification.py

prints what each function returns beside the answer and its unit. The notes say more on each question, and
lectures/solutions has one solution of each.
"""

from lecture10_vae import classification
from lecture10_vae.studies.training import train
from lecture10_vae.tf1 import tf
from lecture10_vae.utils import command_line, mnist
from lectures.solutions.answers import compare


def log_prob_of_one_confidence() -> float:
    """Exercise 1: Right on 98.4 % and equally sure of each answer: what log probability is the best there is?"""
    raise NotImplementedError


def loss_with_one_hot_labels() -> float:
    """Exercise 2: To what value does the loss fall with one-hot labels at batch size 10?"""
    raise NotImplementedError


def best_temperature() -> float:
    """Exercise 3: By what temperature should the logits of an overconfident network be divided?"""
    raise NotImplementedError


if __name__ == "__main__":
    command_line.run(lambda: compare("classification", globals()))
