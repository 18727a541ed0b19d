"""Slides 9-10 and 22-26: the notes' exercises, for you to write.

    .venv/bin/python lectures/exercises/vae.py

says what is right, and what is wrong with the rest; with --hint 2 it gives a hint for exercise 2, and with --show 2 its
answer. The notes say more on each question, and lectures/solutions has one solution of each.
讲义中有每道题的详细说明；上面的命令检查答案，--hint 2 给出第 2 题的提示，--show 2 显示它的答案，--lang zh 用中文。
"""

from lecture10_vae import vae
from lecture10_vae.studies.training import train
from lecture10_vae.tf1 import tf, tfd
from lecture10_vae.utils import mnist
from lectures.exercises import check


def bound_without_a_code() -> float:
    """Exercise 1: What is the bound of a decoder that ignores the code, and gives each pixel its mean?

    练习 1：解码器不用编码、给每个像素的都是均值时，下界是多少？
    """
    raise NotImplementedError


def bound_when_averaged_over_pixels() -> float:
    """Exercise 2: What bound does the VAE reach if the reconstruction is averaged over the pixels, not summed?

    练习 2：重建项对像素求平均而不是求和，这样训练出的 VAE 下界是多少？
    """
    raise NotImplementedError


def alike_by_code() -> float:
    """Exercise 3: How often does the training image with the nearest code show the same digit, with 5 dimensions?

    练习 3：编码取 5 维时，编码最近的训练图像有百分之几是同一个数字？
    """
    raise NotImplementedError


def divergence_with_a_covariance() -> float:
    """Exercise 4: What is the divergence of a Gaussian that has a covariance from the prior?

    练习 4：带协方差的高斯分布相对于先验的 KL 散度是多少？
    """
    raise NotImplementedError


if __name__ == "__main__":
    check.main(__file__)
