"""Slides 4-6: the notes' exercises, for you to write.

    .venv/bin/python lectures/exercises/lower_bound.py

says what is right, and what is wrong with the rest; with --hint 2 it gives a hint for exercise 2, and with --show 2 its
answer. The notes say more on each question, and lectures/solutions has one solution of each.
讲义中有每道题的详细说明；上面的命令检查答案，--hint 2 给出第 2 题的提示，--show 2 显示它的答案，--lang zh 用中文。
"""

from lecture10_vae import lower_bound
from lecture10_vae.studies import bound_on_grid, evidence
from lecture10_vae.tf1 import tf, tfd
from lectures.exercises import check


def gap_of_the_prior() -> float:
    """Exercise 1: How far below ln P(x) does the bound stay if Q(z) is the prior?

    练习 1：Q(z) 就是先验时，下界比 ln P(x) 低多少？
    """
    raise NotImplementedError


def gap_when_twice_as_bent() -> float:
    """Exercise 2: How far does the best diagonal Gaussian stay below it if the decoder is twice as bent?

    练习 2：解码器弯曲加倍时，最优的对角高斯分布的下界比它低多少？
    """
    raise NotImplementedError


def gap_with_fifty_samples() -> float:
    """Exercise 3: How far with the script's decoder, if 50 samples of that Gaussian make one bound?

    练习 3：脚本中的解码器，用这个高斯分布的 50 个样本算一个下界，低多少？
    """
    raise NotImplementedError


def gap_of_mean_field() -> float:
    """Exercise 4: How far does the best mean-field Gaussian stay below it if the posterior has correlation 0.9?

    练习 4：后验的相关系数是 0.9 时，最优的平均场高斯分布的下界低多少？
    """
    raise NotImplementedError


if __name__ == "__main__":
    check.main(__file__)
