"""Slides 13-16: the notes' exercises, for you to write.

    .venv/bin/python lectures/exercises/distributions.py

says what is right, and what is wrong with the rest; with --hint 2 it gives a hint for exercise 2, and with --show 2 its
answer. The notes say more on each question, and lectures/solutions has one solution of each.
讲义中有每道题的详细说明；上面的命令检查答案，--hint 2 给出第 2 题的提示，--show 2 显示它的答案，--lang zh 用中文。
"""

from lecture10_vae.tf1 import tf, tfd
from lectures.exercises import check


def divergence_the_other_way() -> float:
    """Exercise 1: What is the divergence of ten standard normals from ten Gaussians with mean 1 and stddev 0.5?

    练习 1：十个标准正态分布相对于十个均值为 1、标准差为 0.5 的高斯分布，KL 散度是多少？
    """
    raise NotImplementedError


def samples_for_one_percent() -> float:
    """Exercise 2: How many samples give the divergence of the first direction to one percent?

    练习 2：要把第一个方向的 KL 散度估计到百分之一，需要多少个样本？
    """
    raise NotImplementedError


def ratio_of_stddevs() -> float:
    """Exercise 3: Of the two Gaussians nearest to a mixture, by each direction, how much wider is the one?

    练习 3：按两个方向各取离混合分布最近的高斯分布，第一个的宽度是第二个的多少倍？
    """
    raise NotImplementedError


if __name__ == "__main__":
    check.main(__file__)
