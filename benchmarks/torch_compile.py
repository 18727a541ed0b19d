"""PyTorch's fastest: fused Adam, and torch.compile (it needs a C++ compiler)."""

import functools

import contender
import torch_eager

if __name__ == "__main__":
    contender.run(functools.partial(torch_eager.build, fused=True, compiled=True))
