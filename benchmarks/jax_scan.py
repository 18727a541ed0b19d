"""JAX's fastest: an epoch is one compiled program, a lax.scan of the step over the mini-batches."""

import functools

import contender
import jax
import jax.numpy as jnp
import numpy as np
from jax_step import bound, start, step


def build(pixels, options):
    images = jnp.asarray(contender.grey(pixels))
    state, count, key = start(options), 0, jax.random.key(options.seed)

    @functools.partial(jax.jit, donate_argnums=0)
    def epoch(state, images, order, key, count):
        order = order.reshape(-1, options.batch_size)
        noise = jax.random.normal(key, (*order.shape, 2))

        def body(carry, batch):
            state, count = carry
            chosen, noise = batch
            return (step(state, images[chosen], noise, count + 1), count + 1), None

        return jax.lax.scan(body, (state, count), (order, noise), unroll=2)[0]  # saves 3 % of an epoch

    def train_epoch(order):
        nonlocal state, count
        this_key = jax.random.fold_in(key, int(count))
        state, count = jax.block_until_ready(epoch(state, images, order, this_key, np.float32(count)))

    def test_bound(pixels):
        return bound(state[0], contender.grey(pixels), jax.random.normal(key, (len(pixels), 2))).mean()

    return train_epoch, test_bound


if __name__ == "__main__":
    contender.run(build)
