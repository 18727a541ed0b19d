"""Slides 4-6: the integral P(x), the posterior P(z|x), and the lower bound that leads to both.

With a code of two dimensions all of it can be computed on a grid, so that each step can be checked. A small decoder,
fixed, sends the code z to an observation x; of one x we ask for the code. The posterior is bent like a banana. A
Gaussian Q(z) starts far off and walks to it by gradient ascent on the sampled bound, and at each recorded step, since
the decoder does not change,

    ln P(x) = bound + KL[Q(z) || P(z|x)]

    .venv/bin/python lecture10_vae/lower_bound.py                      # diagonal Q, slide 7's
    .venv/bin/python lecture10_vae/lower_bound.py --full-covariance    # a wider family

Ten seconds on two cores. The diagonal family's best stays 0.34 nats below ln P(x); with a full covariance, 0.25.
"""

from pathlib import Path
from types import SimpleNamespace

from lecture10_vae.pictures import lower_bound as pictures
from lecture10_vae.studies import bound_on_grid, evidence
from lecture10_vae.tf1 import tf, tfd
from lecture10_vae.utils import command_line
from lecture10_vae.utils.run import Run

OBSERVATION = (0.8, -0.3)  # the x whose code is asked for
RECORDED_STEPS = (0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


def make_prior():
    """P(z) = N(0, I): batch shape [], event shape [2]."""
    return tfd.MultivariateNormalDiag(tf.zeros([2]), tf.ones([2]))


def make_decoder(code):
    """P(x|z) for codes [N, 2]: a Gaussian around a bent plane, vague in its first dimension and sharp in the second."""
    first, second = tf.unstack(code, axis=-1)
    mean = tf.stack([first, second - 0.6 * first**2], axis=-1)
    return tfd.MultivariateNormalDiag(mean, [1.0, 0.3])


def make_posterior(full_covariance=False):
    """Q(z), a Gaussian with variables for its parameters, at first far off: batch shape [], event shape [2]."""
    mean = tf.get_variable("mean", initializer=[-1.8, -1.5])
    stddev = tf.nn.softplus(tf.get_variable("stddev", initializer=[-0.5, -0.5])) + 1e-6
    if not full_covariance:
        return tfd.MultivariateNormalDiag(mean, stddev)
    skew = tf.get_variable("skew", initializer=0.0)
    scale = tf.stack([tf.stack([stddev[0], 0.0]), tf.stack([skew, stddev[1]])])
    return tfd.MultivariateNormalTriL(mean, scale)


def build_graph(full_covariance=False, num_samples=10, learning_rate=0.02, seed=0) -> SimpleNamespace:
    """Slide 6, as a static graph. Returns everything below by its name."""
    tf.set_random_seed(seed)
    decoder = tf.make_template("decoder", make_decoder)
    with tf.name_scope("observation"):
        observation = tf.constant(OBSERVATION)
    with tf.name_scope("prior"):
        prior = make_prior()
    with tf.variable_scope("posterior"):
        posterior = make_posterior(full_covariance)
    with tf.name_scope("code"):
        num_samples = tf.placeholder_with_default(num_samples, [], "num_samples")  # S
        # The identity lets a grid be fed for the code: log_prob remembers the noise of the very tensor it sampled
        code = tf.identity(posterior.sample(num_samples))  # [S, 2], new ones in each session.run
        mean, covariance = posterior.mean(), posterior.covariance()  # [2], [2, 2]
    dist = decoder(code)

    with tf.name_scope("bound"):
        log_likelihood = dist.log_prob(observation)  # [S], ln P(x|z) in nats; the others likewise
        log_prior, log_posterior = prior.log_prob(code), posterior.log_prob(code)
        kl = tfd.kl_divergence(posterior, prior)  # []
        forms = (  # slide 6, second and third line; the first has ln P(x,z), which is ln P(x|z) + ln P(z)
            log_likelihood + log_prior - log_posterior,
            log_likelihood - kl,
        )
        bound = tf.reduce_mean(forms[1])
    with tf.name_scope("optimize"):
        optimize = tf.train.AdamOptimizer(learning_rate).minimize(-bound)
    return SimpleNamespace(**locals())


def main(
    steps: int = 1000,
    num_samples: int = 10,
    learning_rate: float = 0.02,
    full_covariance: bool = False,
    seed: int = 0,
    logdir: Path = Path("runs/lower_bound"),
) -> dict:
    """Walks a Gaussian Q(z) to the posterior of slides 5-6, and measures the bound and its gap along the way.

    Args:
        steps: of gradient ascent.
        num_samples: codes drawn from Q(z) at each step.
        learning_rate: of Adam.
        full_covariance: let Q(z) have any covariance, not just a diagonal one.
        seed: of the samples.
        logdir: the run's folder; where it exists, a number is added.
    """
    flags = dict(locals())
    with tf.Graph().as_default(), tf.Session() as session:
        model = build_graph(full_covariance, num_samples, learning_rate, seed)
        run = Run(__file__, logdir, flags, parts=["walk"])
        session.run(tf.global_variables_initializer())
        codes, cell = evidence.code_grid()
        log_joint = bound_on_grid.log_densities(session, model, codes).log_joint
        log_evidence = evidence.log_integral(log_joint, cell)
        print(f"ln P(x) = {log_evidence:.4f} nats\n\n{bound_on_grid.HEADING}")
        records = {}
        for step in range(steps + 1):
            if step in RECORDED_STEPS or step == steps:
                records[step] = bound_on_grid.measure(session, model, codes, cell)
                print(bound_on_grid.describe(step, records[step]))
                run.write(step, walk={name: records[step][name] for name in ("bound", "divergence")})
            if step < steps:
                session.run(model.optimize)

        best = bound_on_grid.best_in_family(log_joint, codes, cell, full_covariance)
        print(f"\nThe family's best bound is {best.bound:.4f}, {log_evidence - best.bound:.4f} below ln P(x).")
        pictures.draw(session, model, codes, log_joint, records, best, run.folder / "pictures")
        return run.finish(
            log_evidence_nats=log_evidence,
            bound_nats=records[steps]["bound"],
            divergence_nats=records[steps]["divergence"],
            best_bound_nats=best.bound,
        )


if __name__ == "__main__":
    command_line.run(main)
