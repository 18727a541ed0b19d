"""PyTorch eager, with Adam's update of all weights as one kernel."""

import functools

import contender
import torch_eager

if __name__ == "__main__":
    contender.run(functools.partial(torch_eager.build, fused=True))
