"""Slides 11 and 27-29: the notes' exercises, for you to write.

    .venv/bin/python lectures/exercises/bayesian_network.py

says what is right, and what is wrong with the rest; with --hint 2 it gives a hint for exercise 2, and with --show 2 its
answer. The notes say more on each question, and lectures/solutions has one solution of each.
讲义中有每道题的详细说明；上面的命令检查答案，--hint 2 给出第 2 题的提示，--show 2 显示它的答案，--lang zh 用中文。
"""

from lecture10_vae import bayesian_network
from lecture10_vae.studies import pruning
from lecture10_vae.studies.training import train
from lecture10_vae.tf1 import tf, tfd
from lecture10_vae.utils import mnist
from lectures.exercises import check


def share_of_the_divergence() -> float:
    """Exercise 1: What is an image's share of the divergence before training?

    练习 1：训练之前，KL 散度由每张图像分摊多少？
    """
    raise NotImplementedError


def weights_to_spare() -> float:
    """Exercise 2: What percentage of the weights can go, by signal to noise, before the accuracy falls by one point?

    练习 2：按信噪比去掉权重，去掉百分之几之后准确率才降低一个百分点？
    """
    raise NotImplementedError


def bound_with_a_better_prior() -> float:
    """Exercise 3: What bound does the network reach with the best of four stddevs of the prior: 1, 0.3, 0.1, 0.03?

    练习 3：先验的标准差取 1、0.3、0.1、0.03 中最好的一个，下界是多少？
    """
    raise NotImplementedError


if __name__ == "__main__":
    check.main(__file__)
