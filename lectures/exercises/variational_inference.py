"""Slides 7-8: the notes' exercises, for you to write.

    .venv/bin/python lectures/exercises/variational_inference.py

says what is right, and what is wrong with the rest; with --hint 2 it gives a hint for exercise 2, and with --show 2 its
answer. The notes say more on each question, and lectures/solutions has one solution of each.
讲义中有每道题的详细说明；上面的命令检查答案，--hint 2 给出第 2 题的提示，--show 2 显示它的答案，--lang zh 用中文。
"""

from lecture10_vae import vae, variational_inference
from lecture10_vae.each_batch import each_batch
from lecture10_vae.studies import gaps
from lecture10_vae.studies.training import train
from lecture10_vae.tf1 import tf, tfd
from lecture10_vae.utils import mnist
from lectures.exercises import check


def price_of_a_code() -> float:
    """Exercise 1: What is the divergence of a Q(z) with mean (1, -1) and stddev 0.1 from the prior?

    练习 1：均值为 (1, -1)、标准差为 0.1 的 Q(z) 相对于先验的 KL 散度是多少？
    """
    raise NotImplementedError


def won_by_a_hundred_steps() -> float:
    """Exercise 2: By how many nats do a hundred gradient steps from the encoder's Q(z|x) raise the mean bound?

    练习 2：从编码器给出的 Q(z|x) 出发，做一百步梯度上升，平均下界提高多少奈特？
    """
    raise NotImplementedError


def more_lost_on_test_images() -> float:
    """Exercise 3: How much more has an encoder that saw few images lost on test images than on those?

    练习 3：训练图像很少时，编码器在测试图像上失去的，比在那些图像上多多少奈特？
    """
    raise NotImplementedError


if __name__ == "__main__":
    check.main(__file__)
