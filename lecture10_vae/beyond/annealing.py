"""ln P(x) of images by annealed importance sampling (AIS; Neal 2001, on decoders Wu et al. 2017).

Importance sampling (importance.py) needs a Q(z) that is nowhere far below P(z|x). AIS needs none: it leads codes from a
start S(z) through T distributions, the last of which is P(z|x), by Hamiltonian Monte Carlo, and weighs them on the way:

    ln p_t(z) = (1 - b_t) ln S(z) + b_t ln P(x,z) + const.,    0 = b_0 < b_1 < ... < b_T = 1
    ln w = sum_t (b_t - b_(t-1)) (ln P(x,z_t) - ln S(z_t)),    z_1 from S, z_(t+1) by a move that leaves p_t as it is

The mean of w is P(x) exactly. So the logarithm of a mean over chains is, in the mean, a lower bound of ln P(x), as the
one by importance sampling is; better moves and more of them make it tighter.

A model has `images`, `prior`, `decoder` and the encoder's `posterior`, as iwae.py names them.
"""

from types import SimpleNamespace
from typing import NamedTuple

from lecture10_vae.beyond import importance
from lecture10_vae.tf1 import tf, tfd, tfp

import numpy as np
from tqdm import tqdm

TOGETHER = 20  # images, each with all of its chains
ACCEPTED = 0.65  # of the moves: where Hamiltonian Monte Carlo gets furthest for its cost (Beskos et al. 2013)
FIRST_STEP = 0.3  # in units of the distribution's stddev
GAIN = 0.1  # by which the pilot corrects it
LEAPFROG_STEPS = 5  # of a move


class Estimate(NamedTuple):
    """Of N images, in nats."""

    log_likelihood: np.ndarray  # [N], ln of the mean weight of all chains: in the mean, a lower bound of ln P(x)
    half: np.ndarray  # [N], the same by half of the chains at a time
    error: np.ndarray  # [N], standard error of log_likelihood
    accepted: np.ndarray  # [N], the mean chance of a move to be


def schedule(distributions: int, power: float = 4.0) -> np.ndarray:
    """b_0 to b_T: from the prior on ln P(x,z) changes most at first, and the steps are small there."""
    return np.linspace(0, 1, distributions + 1, dtype=np.float32) ** np.float32(power)


def build_graph(model: SimpleNamespace, start: tfd.Distribution, places: np.ndarray, chains: int) -> SimpleNamespace:
    """AIS from a start S(z) with batch shape [N], as one compiled operation. Returns everything below by its name."""
    step_sizes = tf.placeholder(tf.float32, [len(places) - 1], "step_sizes")  # of each move, in widths of p_t
    gain = tf.placeholder_with_default(0.0, [], "gain")  # above 0 they adapt: then w is not exact, as moves look back
    noise_seed = tf.placeholder(tf.int32, [2], "noise_seed")
    last = len(places) - 1

    def log_joint(code):
        return model.prior.log_prob(code) + model.decoder(code).log_prob(model.images)

    def move(i, code, log_weight, accepted, adapted, used):
        before, place = tf.gather(places, i), tf.gather(places, i + 1)
        log_weight += (place - before) * (log_joint(code) - start.log_prob(code))
        step_size = adapted * step_sizes[i]
        # How wide p_t is: a guess, were P(z|x) the encoder's Gaussian. A poor one costs moves, and leaves w exact
        width = 1 / tf.sqrt((1 - place) / start.stddev() ** 2 + place / model.posterior.stddev() ** 2)
        kernel = tfp.mcmc.HamiltonianMonteCarlo(
            lambda code: (1 - place) * start.log_prob(code) + place * log_joint(code), step_size * width, LEAPFROG_STEPS
        )
        # The kernel's results hold ln p_(t-1) of the code: they must be made anew, as p_t is another density
        move_seed = tf.random.experimental.stateless_fold_in(noise_seed, i + 1)
        code, results = kernel.one_step(code, kernel.bootstrap_results(code), move_seed)
        chance = tf.exp(tf.minimum(results.log_accept_ratio, 0.0))  # [chains, N]
        chance = tf.where(tf.math.is_nan(chance), tf.zeros_like(chance), chance)
        adapted *= tf.exp(gain * (tf.reduce_mean(chance) - ACCEPTED))
        return i + 1, code, log_weight, accepted + chance, adapted, used.write(i, step_size)

    def anneal():
        code = start.sample(chains, seed=tf.random.experimental.stateless_fold_in(noise_seed, 0))
        nothing = tf.zeros_like(code[..., 0])
        state = [0, code, nothing, nothing, tf.constant(1.0), tf.TensorArray(tf.float32, last)]
        _, code, log_weight, accepted, _, used = tf.while_loop(lambda i, *_: i < last, move, state)
        return code, log_weight, accepted / last, used.stack()

    code, log_weight, accepted, used_step_sizes = tf.function(anneal, jit_compile=True, autograph=False)()
    return SimpleNamespace(**locals())


def estimate(session: tf.Session, graph: SimpleNamespace, rows: dict[tf.Tensor, np.ndarray], seed: int = 1) -> Estimate:
    """ln P(x) of N images.

    Args:
        graph: of `build_graph`.
        rows: what is fed, N rows each: the images, as the graph takes them, and what else its start depends on.
    """
    count = len(next(iter(rows.values())))
    first_sizes, parts = np.full(len(graph.places) - 1, FIRST_STEP, np.float32), []
    for first in tqdm(range(0, count, TOGETHER), "AIS", disable=None, leave=False):
        feed = {tensor: values[first : first + TOGETHER] for tensor, values in rows.items()}
        if not parts:  # a pilot finds the step sizes, by other chains than those that count
            pilot = {graph.step_sizes: first_sizes, graph.gain: GAIN, graph.noise_seed: [2, -1]}
            step_sizes = session.run(graph.used_step_sizes, feed | pilot)
        feed |= {graph.step_sizes: step_sizes, graph.noise_seed: [seed, first]}
        log_weight, accepted = session.run([graph.log_weight, graph.accepted], feed)
        weighed = importance.summarize(log_weight)
        parts.append((weighed.log_likelihood, weighed.half, weighed.error, accepted.mean(axis=0)))
    return Estimate(*(np.concatenate(part) for part in zip(*parts, strict=True)))
