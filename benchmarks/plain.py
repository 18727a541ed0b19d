"""The loop on the slide: one session.run a mini-batch, on the same graph as ours."""

import functools

import contender
import ours

if __name__ == "__main__":
    contender.run(functools.partial(ours.build, fast=False))
