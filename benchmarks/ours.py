"""This project's VAE, trained as lecture10_vae/vae.py trains it: many mini-batches a session.run."""

import contender

from lecture10_vae import vae
from lecture10_vae.tf1 import tf
from lecture10_vae.utils.training import BATCHES_PER_RUN


def build(pixels, options, fast=True):
    graph = vae.build_graph(2, options.hidden_size, options.batch_size, seed=options.seed)
    optimize, batches = (graph.optimize_batches, BATCHES_PER_RUN) if fast else (graph.optimize, 1)
    session = tf.Session()
    session.run(tf.global_variables_initializer())

    def train_epoch(order):
        for chosen in contender.parts(order, batches * options.batch_size):
            session.run(optimize, {graph.pixels: pixels[chosen].reshape(-1, 28, 28)})

    def test_bound(pixels):
        return session.run(graph.elbo, {graph.pixels: pixels.reshape(-1, 28, 28)}).mean()

    return train_epoch, test_bound


if __name__ == "__main__":
    contender.run(build)
