"""Slides 19-20: the notes' exercises, for you to write.

    .venv/bin/python lectures/exercises/classification.py

says what is right, and what is wrong with the rest; with --hint 2 it gives a hint for exercise 2, and with --show 2 its
answer. The notes say more on each question, and lectures/solutions has one solution of each.
讲义中有每道题的详细说明；上面的命令检查答案，--hint 2 给出第 2 题的提示，--show 2 显示它的答案，--lang zh 用中文。
"""

from lecture10_vae import classification
from lecture10_vae.studies.training import train
from lecture10_vae.tf1 import tf
from lecture10_vae.utils import mnist
from lectures.exercises import check


def log_prob_of_one_confidence() -> float:
    """Exercise 1: Right on 98.4 % and equally sure of each answer: what log probability is the best there is?

    练习 1：98.4% 答对，且每次的置信度相同，对数概率最高能到多少？
    """
    raise NotImplementedError


def loss_with_one_hot_labels() -> float:
    """Exercise 2: To what value does the loss fall with one-hot labels at batch size 10?

    练习 2：批量大小为 10、标签用独热向量时，损失降到多少？
    """
    raise NotImplementedError


def best_temperature() -> float:
    """Exercise 3: By what temperature should the logits of an overconfident network be divided?

    练习 3：过度自信的网络，logit 应当除以多大的温度？
    """
    raise NotImplementedError


if __name__ == "__main__":
    check.main(__file__)
