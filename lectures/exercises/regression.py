"""Slides 17-18: the notes' exercises, for you to write.

    .venv/bin/python lectures/exercises/regression.py

says what is right, and what is wrong with the rest; with --hint 2 it gives a hint for exercise 2, and with --show 2 its
answer. The notes say more on each question, and lectures/solutions has one solution of each.
讲义中有每道题的详细说明；上面的命令检查答案，--hint 2 给出第 2 题的提示，--show 2 显示它的答案，--lang zh 用中文。
"""

from lecture10_vae import regression
from lecture10_vae.studies.training import train
from lecture10_vae.tf1 import tf, tfd
from lecture10_vae.utils import mnist
from lectures.exercises import check


def log_prob_of_knowing_nothing() -> float:
    """Exercise 1: What is the log probability of labels if all ten outputs are always 0.1?

    练习 1：十个输出总是 0.1 时，标签的对数概率是多少？
    """
    raise NotImplementedError


def log_prob_with_the_best_stddev() -> float:
    """Exercise 2: What is it after one epoch, with the one stddev that suits the errors best in place of 1?

    练习 2：训练一轮之后，把 1 换成最适合误差的那个标准差，对数概率是多少？
    """
    raise NotImplementedError


def accuracy_with_a_low_floor() -> float:
    """Exercise 3: How accurate is a network whose learned stddev may fall to 0.05, not 0.2?

    练习 3：学习到的标准差下限是 0.05 而不是 0.2 时，准确率是多少？
    """
    raise NotImplementedError


if __name__ == "__main__":
    check.main(__file__)
