"""The floor: the five large matrix products of each training step and nothing else, in each of several ways.

    python benchmarks/floor.py --way numpy

A step's products wait for each other as in training, and use all cores; the fastest way is the floor. Small products,
with the code's two dimensions on one side, are left out; so are activations, noise and Adam. Each way takes the images
of some mini-batches, float32 [number, batch, 784], and the two kernels, [784, hidden] and [hidden, 784]. It returns a
function that takes so many steps, mini-batch after mini-batch and from the first one again, and returns the last
step's two gradients, in the kernels' shapes.
"""

import argparse
import json
import time

import numpy as np

MINI_BATCHES = 4  # few, so that they stay in the cache
STEPS = 600  # an epoch of 60,000 images


def products(image, first, last):
    """A step's products, for whatever has `@` and `.T`."""
    hidden = image @ first  # the encoder's hidden layer
    logit = hidden @ last
    last_gradient = hidden.T @ logit
    back = logit @ last.T  # the gradient of the decoder's hidden layer
    return image.T @ back, last_gradient


def numpy_way(images, first, last):
    """NumPy's OpenBLAS, into arrays that are there already."""
    (batch, width), size = images.shape[1:], first.shape[1]
    hidden, logit, back = (np.empty((batch, columns), "f") for columns in (size, width, size))
    first_gradient, last_gradient = np.empty_like(first), np.empty_like(last)

    def run(steps):
        for step in range(steps):
            image = images[step % len(images)]
            np.matmul(image, first, out=hidden)
            np.matmul(hidden, last, out=logit)
            np.matmul(hidden.T, logit, out=last_gradient)
            np.matmul(logit, last.T, out=back)
            np.matmul(image.T, back, out=first_gradient)
        return first_gradient, last_gradient

    return run


def torch_way(images, first, last):
    """PyTorch's BLAS, into tensors that are there already."""
    import torch

    (batch, width), size = images.shape[1:], first.shape[1]
    images, first, last = map(torch.from_numpy, (images, first, last))
    hidden, logit, back = (torch.empty(batch, columns) for columns in (size, width, size))
    first_gradient, last_gradient = torch.empty_like(first), torch.empty_like(last)

    @torch.inference_mode()
    def run(steps):
        for step in range(steps):
            image = images[step % len(images)]
            torch.mm(image, first, out=hidden)
            torch.mm(hidden, last, out=logit)
            torch.mm(hidden.T, logit, out=last_gradient)
            torch.mm(logit, last.T, out=back)
            torch.mm(image.T, back, out=first_gradient)
        return first_gradient, last_gradient

    return run


def jax_way(images, first, last):
    """XLA, in one compiled loop.

    Its mini-batches differ, so that no product can be moved out of the loop, and its body is one step: in a body of
    two, XLA leaves out the first one's products, as the second one's overwrite them, and takes half the time.
    """
    import jax

    @jax.jit
    def run(steps, images, first, last):
        def step(i, gradients):
            return products(images[i % len(images)], first, last)

        return jax.lax.fori_loop(0, steps, step, (jax.numpy.zeros_like(first), jax.numpy.zeros_like(last)))

    images, first, last = map(jax.numpy.asarray, (images, first, last))
    return lambda steps: jax.block_until_ready(run(steps, images, first, last))


def tensorflow_way(images, first, last):
    """The same loop in TensorFlow's XLA."""
    from lecture10_vae.tf1 import tf

    fed = [tf.constant(array) for array in (images, first, last)]
    limit = tf.placeholder(tf.int32, [])

    @tf.function(jit_compile=True, autograph=False)
    def loop(steps, images, first, last):
        def step(i, *gradients):
            image = images[i % images.shape[0]]
            hidden = image @ first
            logit = hidden @ last
            back = tf.matmul(logit, last, transpose_b=True)
            return i + 1, tf.matmul(image, back, transpose_a=True), tf.matmul(hidden, logit, transpose_a=True)

        return tf.while_loop(lambda i, *_: i < steps, step, [0, tf.zeros_like(first), tf.zeros_like(last)])[1:]

    gradients, session = loop(limit, *fed), tf.Session()
    return lambda steps: session.run(gradients, {limit: steps})


WAYS = {"numpy": numpy_way, "torch": torch_way, "jax": jax_way, "tensorflow": tensorflow_way}


def make_matrices(batch=100, width=784, hidden=100, seed=0) -> list[np.ndarray]:
    """Some mini-batches of images, and two kernels, random."""
    random = np.random.default_rng(seed)
    shapes = (MINI_BATCHES, batch, width), (width, hidden), (hidden, width)
    return [random.standard_normal(shape, np.float32) for shape in shapes]


def check(gradients, images, first, last, steps) -> None:
    """Raises AssertionError if these are not the last step's gradients."""
    expected = products(*(array.astype(float) for array in (images[(steps - 1) % len(images)], first, last)))
    for gradient, right in zip(gradients, expected, strict=True):
        np.testing.assert_allclose(np.asarray(gradient), right, rtol=0, atol=1e-5 * np.abs(right).max())


def main() -> None:
    """Prints one line of JSON: the seconds of each epoch's products."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--way", choices=WAYS, required=True)
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--steps", type=int, default=STEPS, help="of an epoch")
    arguments = parser.parse_args()
    matrices, seconds = make_matrices(), []
    run = WAYS[arguments.way](*matrices)
    for _ in range(arguments.epochs):
        began = time.perf_counter()
        gradients = run(arguments.steps)
        seconds.append(time.perf_counter() - began)
    check(gradients, *matrices, arguments.steps)
    print(json.dumps({"epochs": seconds}))


if __name__ == "__main__":
    main()
