"""The floor: the five large matrix products of each training step, and nothing else.

Small ones, with the code's two dimensions on one side, are left out; so are activations and Adam.
On one core: a contender that keeps two busy can be faster than this.
"""

import os

import contender
import torch


def build(pixels, options):
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))  # see torch_eager.py
    batch, hidden, width = options.batch_size, options.hidden_size, pixels.shape[1]
    image, units, first, last = torch.rand(batch, width), torch.rand(batch, hidden), *torch.rand(2, width, hidden)

    def train_epoch(order):
        for _ in range(len(order) // batch):
            image @ first  # the encoder's hidden layer
            logit = units @ last.T
            units.T @ logit  # the gradients of the weights
            image.T @ units
            logit @ last  # the gradient of the decoder's hidden layer

    return train_epoch, None


if __name__ == "__main__":
    contender.run(build)
