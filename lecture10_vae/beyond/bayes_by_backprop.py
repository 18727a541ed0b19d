"""Blundell et al. 2015, "Weight Uncertainty in Neural Networks": tables 1 and 2, weights with distributions (slide 28).

Two hidden layers of 400 relu units on MNIST; all weights and biases have Gaussians Q in place of values. The prior is a
Gaussian, or the paper's mixture of two (equation 7). As on slide 29, an image's share of the bound holds one N-th of
the whole divergence (the paper lets the first mini-batches of an epoch carry most of it, equation 9). One draw of the
weights may serve a whole mini-batch, as on slide 28 and in the paper ("shared"), or each image has one of its own: by
the sums that it makes ("local": Kingma, Salimans, Welling 2015) or by signs ("flipout": Wen et al. 2018). Beside them
is the same network with weights that are values, by plain SGD, and with dropout.

    python lecture10_vae/beyond/bayes_by_backprop.py        (or: make paper-bbb)

After 60 epochs (seed 0) the error on the test images is 1.5 % with the Gaussian prior, 1.6 % with the mixture, 1.9 % by
plain SGD and 1.5 % with dropout; all of it takes 25 minutes on two cores.

The initial stddev and the prior's were chosen on the last 10,000 training images (--held-out), with seed 0. After 12
epochs of SGD, a Gaussian prior of stddev 0.3 came to an error of 2.05 % with an initial stddev of 0.02, and to 2.23 %
with 0.05; the mixture, with 0.05, to 2.50 %. Nothing else was chosen: the share of units left out is 0.5, and the rate
is the largest of the paper's. The paper trains for 600 epochs (figure 2).
"""

import itertools
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from lecture10_vae import bayesian_network
from lecture10_vae.pictures import beyond_bayes_by_backprop as pictures
from lecture10_vae.studies import pruning, uncertainty, weight_noise
from lecture10_vae.tf1 import BATCHES_PER_RUN, each_batch, set_random_seed, tf, tfd
from lecture10_vae.utils import command_line, mnist, plotting
from lecture10_vae.utils.files import write_json
from lecture10_vae.utils.run import Run, refuse_run

DRAWS = ("shared", "local", "flipout")  # ways to draw the weights for a mini-batch
PRUNED = ("gaussian", "mixture", "gaussian_adam")
MIXTURE = {"wide_share": 0.5, "wide_stddev": 1.0, "narrow_stddev": 0.0025}  # exp(-0) and exp(-6), of the paper's grid
KEPT = (1.0, 0.5, 0.25, 0.05, 0.02)  # table 2 removes the rest
HELD_OUT = 10_000  # training images, for choices
VARIANTS = {  # by the folders of their runs: the rows of table 1, the same bound by Adam, and what shorter runs compare
    "sgd": {},
    "dropout": {"dropout": 0.5},
    "gaussian": {"prior": "gaussian"},
    "mixture": {"prior": "mixture"},
    "gaussian_adam": {"prior": "gaussian", "optimizer": "adam"},
    "short_local": {"prior": "gaussian", "short": True},
    "short_shared": {"prior": "gaussian", "short": True, "draw": "shared"},
    "short_flipout": {"prior": "gaussian", "short": True, "draw": "flipout"},
    "short_narrow": {"prior": "gaussian", "short": True, "initial_stddev": 0.002},
    "short_wide": {"prior": "gaussian", "short": True, "initial_stddev": 0.1},
}


def make_prior(kind: str = "gaussian", prior_stddev=0.3, wide_share=0.5, wide_stddev=1.0, narrow_stddev=0.0025):
    """P(weight), the same for each: a Gaussian, or the mixture of a wide and a narrow one (equation 7)."""
    if kind == "gaussian":
        return tfd.Normal(0.0, prior_stddev)
    shares = tfd.Categorical(probs=[wide_share, 1 - wide_share])
    return tfd.MixtureSameFamily(shares, tfd.Normal([0.0, 0.0], [wide_stddev, narrow_stddev]))


def make_divergence(posterior: tfd.Distribution, prior: tfd.Distribution, weights: tf.Tensor) -> tf.Tensor:
    """KL[Q || P] over all of a layer's weights in nats, []; where it has no closed form, by one draw of the weights."""
    if isinstance(prior, tfd.Normal):
        return tf.reduce_sum(tfd.kl_divergence(posterior, prior))
    return -tf.reduce_sum(posterior.entropy() + prior.log_prob(weights))  # unbiased, as the entropy is exact


def draw_sums(inputs: tf.Tensor, posterior: tfd.Distribution, weights: tf.Tensor, draw: str, seeds) -> tf.Tensor:
    """The sums [N, units] of inputs [N, size] times weights, by Q's mean weights or by draws of them.

    Args:
        weights: a draw, [size, units].
        draw: "mean", "shared", "local" or "flipout". By each of the last three a sum has the same distribution; they
            differ in what the images of a mini-batch have in common.
    """
    mean_sums = tf.matmul(inputs, posterior.mean())
    if draw == "shared":  # slide 28
        return tf.matmul(inputs, weights)
    if draw == "local":  # the sums of independent Gaussians are Gaussians
        stddev = tf.sqrt(tf.matmul(inputs**2, posterior.variance()))
        return mean_sums + stddev * draw_noise(tf.random.stateless_normal, mean_sums, seeds[0])
    if draw == "flipout":  # each image gives the one deviation signs of its own
        in_signs, out_signs = draw_noise(draw_signs, inputs, seeds[0]), draw_noise(draw_signs, mean_sums, seeds[1])
        return mean_sums + out_signs * tf.matmul(in_signs * inputs, weights - posterior.mean())
    return mean_sums


def draw_noise(make, values: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Random numbers by `make(shape, seed)` of the shape of values [N, units], which `noise_outside` knows of."""
    noise = make([tf.shape(values)[0], values.shape[1]], seed)
    tf.add_to_collection("noise", (noise, make))
    return noise


def noise_outside(count: tf.Tensor, noise_seed: tf.Tensor) -> dict[tf.Tensor, tf.Tensor]:
    """What `each_batch` feeds for the noise of `count` images: XLA's own takes it long to compile and to draw."""
    seeds = (tf.random.experimental.stateless_fold_in(noise_seed, 100 + i) for i in itertools.count())
    noises = zip(tf.get_collection("noise"), seeds, strict=False)
    return {noise: make([count, noise.shape[1]], seed) for (noise, make), seed in noises}


def draw_signs(shape: list, seed: tf.Tensor) -> tf.Tensor:
    """Independent -1 or 1 with equal chance, [rows, columns], each from a bit of an integer."""
    rows, columns = shape
    integers = tf.random.stateless_uniform([rows, columns // 32 + 1, 1], seed, None, None, tf.int32)
    bits = tf.bitwise.bitwise_and(tf.bitwise.right_shift(integers, tf.range(32)), 1)  # [rows, integers, 32]
    bits = tf.reshape(bits, [rows, 32 * (columns // 32 + 1)])[:, :columns]
    return 2 * tf.cast(bits, tf.float32) - 1


def make_posterior(inputs: int, units: int, initial_stddev: float) -> tfd.Distribution:
    """Q(weights) of a layer, [inputs + 1, units], the last row for the bias. Slide 28."""
    mean = tf.get_variable("mean", [inputs + 1, units], initializer=tf.initializers.he_normal())
    initial = tf.constant_initializer(np.log(np.expm1(initial_stddev)))
    stddev = tf.get_variable("stddev", [inputs + 1, units], initializer=initial)
    return tfd.Normal(tf.identity(mean), tf.nn.softplus(stddev))


def define_network(images, posteriors, draw, noise_seed):
    """P(label|image) for images [N, 28, 28] in [0, 1], and a draw of each layer's weights, from its Q(weights).

    TFP has such layers, DenseFlipout say; theirs have no seed that moves on with the steps.
    """
    values, drawn = tf.layers.flatten(images) * (255 / 126), []  # the paper divides bytes by 126
    for layer, posterior in enumerate(posteriors):
        layer_seed = tf.random.experimental.stateless_fold_in(noise_seed, layer)
        weights_seed, *seeds = tf.unstack(tf.random.experimental.stateless_split(layer_seed, 3), 3)
        drawn.append(posterior.sample(seed=weights_seed))
        values = tf.nn.relu(values) if layer > 0 else values
        values = tf.pad(values, [[0, 0], [0, 1]], constant_values=1)  # what the bias is a weight of
        values = draw_sums(values, posterior, drawn[-1], draw, seeds)
    return tfd.Categorical(logits=values), drawn


def define_point_network(images, dropout, hidden_size, noise_seed):
    """P(label|image) by weights that are values; a share of `dropout` of the hidden units is left out."""
    values = tf.layers.flatten(images) * (255 / 126)
    for layer in (1, 2):
        values = tf.layers.dense(values, hidden_size, tf.nn.relu, name=f"layer_{layer}", kernel_initializer="he_normal")
        layer_seed = tf.random.experimental.stateless_fold_in(noise_seed, layer)
        if dropout:
            noise = draw_noise(tf.random.stateless_uniform, values, layer_seed)
            values = tf.where(noise < dropout, tf.zeros_like(values), values / (1 - dropout))
    return tfd.Categorical(logits=tf.layers.dense(values, 10, name="layer_3"))


def make_optimizer(step: tf.Tensor, name: str = "sgd", learning_rate: float = 0.128, steps: int = 0):
    """The paper's SGD, without momentum and at one rate; or Adam, whose rate falls to 0 as a cosine over all `steps`.

    The paper's rate 1e-3 is for the sum over a mini-batch of 128 images (equation 8): 0.128 for their mean.
    """
    if name == "sgd":
        return tf.train.GradientDescentOptimizer(learning_rate)
    return tf.train.AdamOptimizer(tf.train.cosine_decay(learning_rate, step, steps))


def build_graph(
    train_size=60_000, prior=None, draw="local", initial_stddev=0.02, hidden_size=400, seed=0, **optimizer
) -> SimpleNamespace:
    """The bound for the network with Q(weights), as a static graph. Returns everything below by its name.

    Args:
        prior: P(weight); a Gaussian if none is given.
        optimizer: what else `make_optimizer` takes.
    """
    set_random_seed(seed)
    step = tf.train.get_or_create_global_step()
    with tf.name_scope("noise_seed"):  # new weights at each step, the same in a run repeated
        noise_seed = tf.stack([seed, tf.cast(step, tf.int32)])
    prior = prior or make_prior()
    posteriors = []
    for layer, (inputs, units) in enumerate(itertools.pairwise([784, hidden_size, hidden_size, 10]), start=1):
        with tf.variable_scope(f"layer_{layer}"):
            posteriors.append(make_posterior(inputs, units, initial_stddev))

    images = tf.placeholder(tf.float32, [None, 28, 28], "images")  # grey, in [0, 1]
    label = tf.placeholder(tf.int32, [None], "label")
    dist, drawn = define_network(images, posteriors, draw, noise_seed)
    with tf.name_scope("elbo"):  # slide 29: an image's share, in nats
        log_prob = tf.reduce_mean(dist.log_prob(label))  # []
        layers = zip(posteriors, drawn, strict=True)
        kl = sum(make_divergence(posterior, prior, weights) for posterior, weights in layers) / train_size  # []
        elbo = log_prob - kl  # []
    with tf.name_scope("optimize"):
        optimize = make_optimizer(step, **optimizer).minimize(-elbo, step)
    with tf.name_scope("output"):
        by_draw, _ = define_network(images, posteriors, "shared", noise_seed)
        by_mean, _ = define_network(images, posteriors, "mean", noise_seed)
        probability, mean_probability = by_draw.probs_parameter(), by_mean.probs_parameter()  # [N, 10]
    return SimpleNamespace(**locals())


def build_point_graph(dropout=0.0, hidden_size=400, learning_rate=0.128, seed=0) -> SimpleNamespace:
    """The log probability for the network of weights that are values, and SGD without momentum, as in the paper."""
    set_random_seed(seed)
    step = tf.train.get_or_create_global_step()
    with tf.name_scope("noise_seed"):
        noise_seed = tf.stack([seed, tf.cast(step, tf.int32)])
    network = tf.make_template("network", define_point_network, hidden_size=hidden_size, noise_seed=noise_seed)
    images = tf.placeholder(tf.float32, [None, 28, 28], "images")
    label = tf.placeholder(tf.int32, [None], "label")
    dist = network(images, dropout)
    log_prob = tf.reduce_mean(dist.log_prob(label))  # [], nats
    with tf.name_scope("optimize"):
        optimize = make_optimizer(step, "sgd", learning_rate).minimize(-log_prob, step)
    with tf.name_scope("output"):
        probability = dist.probs_parameter()  # [N, 10], by one draw of the units left out
        mean_probability = network(images, 0.0).probs_parameter()  # [N, 10], with all units
    return SimpleNamespace(**locals())


def evaluate(session: tf.Session, model: SimpleNamespace, some: mnist.Dataset, test: mnist.Dataset) -> dict[str, dict]:
    """An epoch's numbers: the bound's terms on some training images; on test images the error of the mean weights.

    All but the error in nats, with the draws that training makes. The test images' numbers are no ground for a choice.
    """
    terms = {name: getattr(model, name) for name in ("elbo", "log_prob", "kl") if hasattr(model, name)}
    train_terms = session.run(terms, {model.images: some.images, model.label: some.labels})
    feed = {model.images: test.images, model.label: test.labels}
    log_prob, probability = session.run([model.log_prob, model.mean_probability], feed)
    error = uncertainty.percent_wrong(probability, test.labels)
    return {"train": train_terms, "test": {"log_prob": log_prob, "error_percent": error}}


def measure(
    session: tf.Session, model: SimpleNamespace, train: mnist.Dataset, test: mnist.Dataset, draws: int
) -> dict[str, float]:
    """A trained network's numbers on test images: predictions averaged over draws, and by the mean weights."""
    prediction = bayesian_network.predict(test.images, session, model, draws)  # [draws, N, 10]
    mean_probability = session.run(model.mean_probability, {model.images: test.images})
    scores = uncertainty.score(prediction, test.labels)
    numbers = {
        "draws": draws,
        "test_error_percent": uncertainty.percent_wrong(prediction.mean(axis=0), test.labels),
        "test_error_percent_mean_weights": uncertainty.percent_wrong(mean_probability, test.labels),
        "test_error_percent_one_draw": uncertainty.percent_wrong(prediction, test.labels),
        "test_log_predictive_nats": scores["log_predictive_nats"],
        "test_calibration_error": scores["calibration_error"],
    }
    if hasattr(model, "elbo"):
        stddevs = session.run([layer.scale for layer in model.posteriors])
        numbers["median_stddevs"] = [float(np.median(stddev)) for stddev in stddevs]  # by layer
        numbers |= bayesian_network.average_bound(session, model, train, draws=2)
    return numbers


def make_gradients(model: SimpleNamespace) -> dict[str, tf.Tensor]:
    """The gradient of the mean log probability by all means, then by all stddevs, [2W]; by each way to draw."""
    gradients = {}
    for draw in DRAWS:
        dist, _ = define_network(model.images, model.posteriors, draw, model.noise_seed)
        log_prob = tf.reduce_mean(dist.log_prob(model.label))
        parameters = [*(layer.loc for layer in model.posteriors), *(layer.scale for layer in model.posteriors)]
        gradients[draw] = tf.concat([tf.reshape(part, [-1]) for part in tf.gradients(log_prob, parameters)], axis=0)
    return gradients


def settle(name: str, epochs: int, short_epochs: int, adam_learning_rate: float, **flags) -> tuple[dict, int]:
    """What a variant's weights depend on, but for the data: what VARIANTS says of it, and the flags; and its epochs."""
    chosen = {"prior": None, "draw": "local", "optimizer": "sgd", "dropout": 0.0, "short": False} | flags
    chosen |= VARIANTS[name]
    epochs = short_epochs if chosen.pop("short") else epochs
    if chosen["optimizer"] == "adam":  # whose rate depends on all steps to come
        chosen |= {"learning_rate": adam_learning_rate, "planned_epochs": epochs}
    foreign = {"dropout"} if chosen["prior"] else {"prior", "draw", "initial_stddev"}
    foreign |= {"prior_stddev"} if chosen["prior"] != "gaussian" else set()
    chosen |= MIXTURE if chosen["prior"] == "mixture" else {}
    return {"variant": name} | {key: value for key, value in chosen.items() if key not in foreign}, epochs


def build(config: dict, train_size: int, epochs: int) -> SimpleNamespace:
    """The graph of a variant's configuration."""
    given = {name: config[name] for name in ("hidden_size", "learning_rate", "seed")}
    if "dropout" in config:
        return build_point_graph(config["dropout"], **given)
    prior = make_prior(config["prior"], **{name: config[name] for name in ("prior_stddev", *MIXTURE) if name in config})
    steps = epochs * -(-train_size // config["batch_size"])
    given |= {"name": config["optimizer"], "steps": steps}
    return build_graph(train_size, prior, config["draw"], config["initial_stddev"], **given)


def train_network(session: tf.Session, model: SimpleNamespace, run: Run, train, test, epochs: int) -> None:
    """Trains to the last epoch, from the newest that the run has kept."""
    batch_size, seed = run.config["batch_size"], run.config["seed"]
    pixels, label = tf.placeholder(tf.uint8, [None, 28, 28], "pixels"), tf.placeholder(tf.int32, [None], "labels")
    feeds = {model.images: pixels, model.label: label} | noise_outside(tf.shape(pixels)[0], model.noise_seed)
    optimize_batches = each_batch(model.optimize, batch_size, feeds)
    some = train.first(HELD_OUT)
    for epoch in run.epochs(session, epochs, len(train.pixels), slide=[model.log_prob]):
        if epoch > 0:  # epoch 0 is the untrained model
            for batch in run.progress(mnist.batches(train, batch_size, [seed, epoch], BATCHES_PER_RUN)):
                session.run(optimize_batches, {pixels: batch.pixels, label: batch.labels})
        for part, numbers in evaluate(session, model, some, test).items():
            run.write(part, epoch, numbers)
        run.save(session, epoch)


def load(data_dir: Path, held_out: bool) -> tuple[mnist.Dataset, mnist.Dataset]:
    """The training and the test images; or the training images without the last 10,000, and those."""
    train = mnist.load("train", data_dir)
    if not held_out:
        return train, mnist.load("test", data_dir)
    last = train._replace(pixels=train.pixels[-HELD_OUT:], labels=train.labels[-HELD_OUT:])
    return train.first(len(train.pixels) - HELD_OUT), last


def describe(variants: dict[str, dict]) -> str:
    """A table with a line for each variant: test errors averaged over draws and by the mean weights, and the bound."""
    lines = [f"{'':14}  test error: draws, mean   bound  stddev: initial, trained  epochs  seconds"]
    for name, numbers in variants.items():
        errors = f"{numbers['test_error_percent']:9.2f} % {numbers['test_error_percent_mean_weights']:7.2f} %"
        line = f"{name:14}  {errors}  "
        if "initial_stddev" in numbers:
            bound, (_, stddev, _) = numbers["train_elbo_nats"], numbers["median_stddevs"]
            line += f"{bound:10.3f} {numbers['initial_stddev']:15g} {stddev:8.4f}"
        lines.append(f"{line:64} {numbers['epochs']:9d} {numbers['seconds']:8.0f}")
    return "\n".join(lines)


def main(
    epochs: int = 60,
    short_epochs: int = 10,
    batch_size: int = 128,
    hidden_size: int = 400,
    learning_rate: float = 0.128,
    adam_learning_rate: float = 1e-3,
    initial_stddev: float = 0.02,
    prior_stddev: float = 0.3,
    draws: int = 20,
    only: str = "",
    held_out: bool = False,
    seed: int = 0,
    logdir: Path = Path("runs/paper_bbb"),
    data_dir: Path = mnist.DATA_DIR,
    fresh: bool = False,
) -> dict:
    """Trains the networks of Blundell et al.'s table 1 on MNIST, one after the other; goes on where it was stopped.

    Args:
        epochs: passes over the training images, for each row of table 1.
        short_epochs: passes for the comparison of ways to draw the weights, and of initial stddevs.
        batch_size: images in a mini-batch.
        hidden_size: units in each of the two hidden layers.
        learning_rate: of SGD without momentum, for the mean over a mini-batch.
        adam_learning_rate: of Adam; falls to 0 as a cosine.
        initial_stddev: of Q(weights).
        prior_stddev: of the Gaussian prior.
        draws: of the weights, to average predictions over.
        only: the one variant to train.
        held_out: train on all but the last 10,000 training images, and test on those: for choices.
        seed: of the initial weights, the order of the images and the draws.
        logdir: the folder of the variants' runs, the pictures and the numbers.
        data_dir: the folder with MNIST's four files.
        fresh: begin anew, replacing the runs in the folder.

    Returns:
        What results.json says.
    """
    flags = {"epochs": epochs, "short_epochs": short_epochs, "adam_learning_rate": adam_learning_rate}
    flags |= {"batch_size": batch_size, "hidden_size": hidden_size, "learning_rate": learning_rate, "seed": seed}
    flags |= {"initial_stddev": initial_stddev, "prior_stddev": prior_stddev}
    command_line.check_numbers(**flags, draws=draws)
    if only:
        command_line.check_choice(tuple(VARIANTS), only=only)
    refuse_run(logdir)
    train, test = load(data_dir, held_out)
    results = {"variants": {}, "gradients": {}, "pruning": {}}
    if only and (logdir / "results.json").exists():  # what the other variants came to stays
        results = json.loads((logdir / "results.json").read_text(encoding="utf-8"))
    for name in [only] if only else VARIANTS:
        config, planned = settle(name, **flags)
        config["data"] = train.describe()
        print("\n" + ", ".join(f"{key} {value}" for key, value in config.items()))
        with tf.Graph().as_default(), tf.Session() as session, Run(__file__, logdir / name, config, fresh) as run:
            model = build(config, len(train.pixels), planned)
            train_network(session, model, run, train, test, planned)
            results["variants"][name] = run.finish(None, **measure(session, model, train, test, draws))
            if name in PRUNED:
                results["pruning"][name] = pruning.measure_network(
                    session, model, test.images, test.labels, KEPT, draws
                )
            if name == "gaussian":
                batch = train.first(batch_size)
                feed = {model.images: batch.images, model.label: batch.labels}
                results["gradients"] = weight_noise.measure(session, make_gradients(model), feed, model.noise_seed)
    print("\n" + describe(results["variants"]))
    write_json(logdir / "results.json", results)
    histories = {name: json.loads((logdir / name / "history.json").read_bytes()) for name in results["variants"]}
    for name, picture in pictures.draw(histories, results["gradients"], results["pruning"]).items():
        path = logdir / "pictures" / f"{name}.png"
        path.parent.mkdir(exist_ok=True)
        plotting.save(picture, path)
        print(f"Picture: {path}")
    return results


if __name__ == "__main__":
    command_line.run(main)
