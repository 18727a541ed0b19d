"""Slides 7-8: the notes' exercises, for you to write.

    python lectures/exercises/variational_inference.py

prints what each function returns beside the answer and its unit. The notes say more on each question, and
lectures/solutions has one solution of each.
"""

from lecture10_vae import vae, variational_inference
from lecture10_vae.each_batch import each_batch
from lecture10_vae.studies import gaps
from lecture10_vae.studies.training import train
from lecture10_vae.tf1 import tf, tfd
from lecture10_vae.utils import command_line, mnist
from lectures.solutions.answers import compare


def price_of_a_code() -> float:
    """Exercise 1: What is the divergence of a Q(z) with mean (1, -1) and stddev 0.1 from the prior?"""
    raise NotImplementedError


def won_by_a_hundred_steps() -> float:
    """Exercise 2: How many nats do a hundred gradient steps win, from the encoder's Q(z|x) on?"""
    raise NotImplementedError


def more_lost_on_test_images() -> float:
    """Exercise 3: How much more does an encoder that was trained on few images lose on test images than on those?"""
    raise NotImplementedError


if __name__ == "__main__":
    command_line.run(lambda: compare("variational_inference", globals()))
