"""JAX, with the training step compiled, and called once a mini-batch."""

import functools

import contender
import jax
import jax.numpy as jnp
import numpy as np


def start(options):
    """Weights, and Adam's two moments, as lists in the order of contender.initial_weights."""
    weights = jax.tree.map(jnp.asarray, contender.initial_weights(options))
    return weights, jax.tree.map(jnp.zeros_like, weights), jax.tree.map(jnp.zeros_like, weights)


def bound(weights, images, noise):
    """The bound for each image."""
    (hidden, hidden_bias), (mean, mean_bias), (stddev, stddev_bias), (decoder, decoder_bias), (logit, bias) = weights
    hidden = jax.nn.relu(images @ hidden + hidden_bias)
    heads = hidden @ jnp.concatenate([mean, stddev], axis=1)  # two heads as one product, which is faster
    mean, stddev = heads[:, :2] + mean_bias, jax.nn.softplus(heads[:, 2:] + stddev_bias) + 1e-6
    code = mean + stddev * noise
    logit = jax.nn.relu(code @ decoder + decoder_bias) @ logit + bias
    reconstruction = (images * logit - jax.nn.softplus(logit)).sum(1)
    kl = ((mean**2 + stddev**2 - 1) / 2 - jnp.log(stddev)).sum(1)
    return reconstruction - kl


def step(state, images, noise, count):
    """One step of Adam, the count-th from 1. The bound's value is not asked for, so that XLA leaves it out."""
    weights, first, second = state
    gradients = jax.grad(lambda weights: -bound(weights, images, noise).mean())(weights)
    first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, first, gradients)
    second = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g**2, second, gradients)
    rate = 1e-3 * jnp.sqrt(1 - 0.999**count) / (1 - 0.9**count)
    weights = jax.tree.map(lambda w, m, v: w - rate * m / (jnp.sqrt(v) + 1e-8), weights, first, second)
    return weights, first, second


def build(pixels, options):
    images, key = jnp.asarray(contender.grey(pixels)), jax.random.key(options.seed)
    state, count = start(options), 0

    @functools.partial(jax.jit, donate_argnums=0)
    def compiled(state, images, chosen, count):  # images and noise are taken inside, which is faster
        noise = jax.random.normal(jax.random.fold_in(key, count.astype(int)), (len(chosen), 2))
        return step(state, images[chosen], noise, count)

    def train_epoch(order):
        nonlocal state, count
        for chosen in contender.parts(order, options.batch_size):
            count += 1
            state = compiled(state, images, chosen, np.float32(count))
        jax.block_until_ready(state)

    def test_bound(pixels):
        return bound(state[0], contender.grey(pixels), jax.random.normal(key, (len(pixels), 2))).mean()

    return train_epoch, test_bound


if __name__ == "__main__":
    contender.run(build)
