"""This project's VAE, trained as lecture10_vae/vae.py trains it: many mini-batches a session.run."""

import contender

from lecture10_vae import vae
from lecture10_vae.each_batch import each_batch
from lecture10_vae.tf1 import tf


def build(pixels, options):
    model = vae.build_graph(options.code_size, options.hidden_size, seed=options.seed)
    optimize = each_batch(model.optimize, options.batch_size, [model.images])
    session = tf.Session()
    session.run(tf.global_variables_initializer())

    def train_epoch(order):
        for chosen in contender.parts(order, 100 * options.batch_size):
            session.run(optimize, {model.images: contender.grey(pixels[chosen]).reshape(-1, 28, 28)})

    def test_bound(pixels):
        return session.run(model.elbo, {model.images: contender.grey(pixels).reshape(-1, 28, 28)}).mean()

    return train_epoch, test_bound


if __name__ == "__main__":
    contender.run(build)
