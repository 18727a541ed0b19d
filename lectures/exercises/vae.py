"""Slides 9-10 and 22-26: the notes' exercises, for you to write.

    python lectures/exercises/vae.py

prints what each function returns beside the answer and its unit. The notes say more on each question, and
lectures/solutions has one solution of each.
"""

from lecture10_vae import vae
from lecture10_vae.studies.training import train
from lecture10_vae.tf1 import tf, tfd
from lecture10_vae.utils import command_line, mnist
from lectures.solutions.answers import compare


def bound_without_a_code() -> float:
    """Exercise 1: What is the bound of a decoder that ignores the code, and gives each pixel its mean?"""
    raise NotImplementedError


def bound_when_averaged_over_pixels() -> float:
    """Exercise 2: What bound does the VAE reach if the reconstruction is averaged over the pixels, not summed?"""
    raise NotImplementedError


def alike_by_code() -> float:
    """Exercise 3: How often does the training image with the nearest code show the same digit, with 20 dimensions?"""
    raise NotImplementedError


def bound_with_a_covariance() -> float:
    """Exercise 4: What bound does a VAE reach in five epochs whose encoder gives its Gaussian any covariance?"""
    raise NotImplementedError


if __name__ == "__main__":
    command_line.run(lambda: compare("vae", globals()))
