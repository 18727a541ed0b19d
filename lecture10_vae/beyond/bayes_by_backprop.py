"""Blundell et al. 2015, "Weight Uncertainty in Neural Networks": tables 1 and 2, weights with distributions (slide 28).

Two hidden layers of 400 relu units on MNIST; all weights and biases have Gaussians Q in place of values. The prior is a
Gaussian, or the paper's mixture of two (equation 7). As on slide 29, an image's share of the bound holds one N-th of
the whole divergence. One draw of the weights may serve a whole mini-batch, as on slide 28 and in the paper ("shared"),
or each image has one of its own: by the sums that it makes ("local": Kingma, Salimans, Welling 2015) or by signs
("flipout": Wen et al. 2018). Beside them is the same network with weights that are values, and with dropout.

    .venv/bin/python lecture10_vae/beyond/bayes_by_backprop.py --grid --epochs 12 --logdir runs/paper_bbb_grid
    .venv/bin/python lecture10_vae/beyond/bayes_by_backprop.py        (both: make paper-bbb)

The first chooses the mixture, on the last 10,000 training images: that of main's defaults has an error of 2.09 %, the
worst of nine 2.81 %. The second trains table 1's rows, with three seeds. Half an hour on two cores; rerun to resume.

The Gaussian's stddevs were chosen on the same images, with seed 0: after 12 epochs of SGD, a prior of stddev 0.3 came
to an error of 2.05 % with an initial stddev of 0.02, and to 2.23 % with 0.05. Nothing else was chosen: the share of
units left out is 0.5, and the rate is the largest of the paper's.
"""

import itertools
from pathlib import Path
from types import SimpleNamespace

from lecture10_vae import bayesian_network
from lecture10_vae.beyond import models, pictures
from lecture10_vae.each_batch import each_batch
from lecture10_vae.studies import pruning, uncertainty
from lecture10_vae.studies.gaps import inverse_softplus
from lecture10_vae.tf1 import tf, tfd
from lecture10_vae.utils import command_line, mnist, plotting
from lecture10_vae.utils.run import Run, read_curves

import numpy as np

DRAWS = ("shared", "local", "flipout")  # ways to draw the weights for a mini-batch
KEPT = (1.0, 0.5, 0.25, 0.05, 0.02)  # fractions of the weights; table 2 removes the rest
DEFAULTS = {"prior": None, "draw": "local", "optimizer": "sgd", "dropout": 0.0}
SHORT = {"prior": "gaussian", "epochs": 10}
ROWS = {  # by the folders of their runs: table 1's, and the same bound by Adam
    "sgd": {},
    "dropout": {"dropout": 0.5},
    "gaussian": {"prior": "gaussian"},
    "mixture": {"prior": "mixture"},
    "gaussian_adam": {"prior": "gaussian", "optimizer": "adam", "learning_rate": 1e-3},
}
VARIANTS = ROWS | {  # and the rows with two seeds more, and what shorter runs compare
    **{f"{name}_{more}": own | {"seed": more} for more in (1, 2) for name, own in ROWS.items()},
    "short_local": SHORT,
    "short_shared": SHORT | {"draw": "shared"},
    "short_flipout": SHORT | {"draw": "flipout"},
    "short_narrow": SHORT | {"initial_stddev": 0.002},
    "short_wide": SHORT | {"initial_stddev": 0.1},
}
GRID = {  # of the paper's 27 mixtures nine, in which any two of the three numbers have each pair of values once
    f"share_{share}_wide_{wide}_narrow_{narrow}": {
        "prior": "mixture",
        "wide_share": share / 4,
        "wide_stddev": float(np.exp(-wide)),
        "narrow_stddev": float(np.exp(-narrow)),
    }
    for share, wide, narrow in ((share, wide, 6 + (share + wide) % 3) for share in (1, 2, 3) for wide in (0, 1, 2))
}
TOGETHER = 26  # of the 468 mini-batches of an epoch, in a session.run: with flipout, 80 MB of noise


def make_prior(
    kind="gaussian", stddev=0.3, wide_share=0.25, wide_stddev=1.0, narrow_stddev=0.00091
) -> tfd.Distribution:
    """P(weight), the same for each: a Gaussian, or the mixture of a wide and a narrow one (equation 7)."""
    if kind == "gaussian":
        return tfd.Normal(0.0, stddev)
    shares = tfd.Categorical(probs=[wide_share, 1 - wide_share])
    return tfd.MixtureSameFamily(shares, tfd.Normal([0.0, 0.0], [wide_stddev, narrow_stddev]))


def make_divergence(posterior: tfd.Distribution, prior: tfd.Distribution, weights: tf.Tensor) -> tf.Tensor:
    """KL[Q || P] over all of a layer's weights in nats, []; where it has no closed form, by one draw of the weights."""
    if isinstance(prior, tfd.Normal):
        return tf.reduce_sum(tfd.kl_divergence(posterior, prior))
    return -tf.reduce_sum(posterior.entropy() + prior.log_prob(weights))  # unbiased, as the entropy is exact


def draw_sums(inputs: tf.Tensor, posterior: tfd.Distribution, weights: tf.Tensor, draw: str) -> tf.Tensor:
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
        return mean_sums + stddev * tf.random_normal(tf.shape(mean_sums))
    if draw == "flipout":  # each image gives the one deviation signs of its own
        in_signs, out_signs = draw_signs(inputs), draw_signs(mean_sums)
        return mean_sums + out_signs * tf.matmul(in_signs * inputs, weights - posterior.mean())
    return mean_sums


def draw_signs(values: tf.Tensor) -> tf.Tensor:
    """Independent -1 or 1 with equal chance, in the shape of the values."""
    return 2 * tf.round(tf.random_uniform(tf.shape(values))) - 1


def make_posterior(inputs: int, units: int, initial_stddev: float) -> tfd.Distribution:
    """Q(weights) of a layer, [inputs + 1, units], the last row for the bias. Slide 28."""
    mean = tf.get_variable("mean", [inputs + 1, units], initializer=tf.initializers.he_normal())
    initial = tf.constant_initializer(inverse_softplus(initial_stddev))
    stddev = tf.get_variable("stddev", [inputs + 1, units], initializer=initial)
    return tfd.Normal(tf.identity(mean), tf.nn.softplus(stddev))


def define_network(images, posteriors, drawn, draw):
    """P(label|image) for images [N, 28, 28] in [0, 1], by a draw of each layer's weights from its Q(weights)."""
    values = tf.layers.flatten(images) * (255 / 126)  # the paper divides bytes by 126
    for layer, (posterior, weights) in enumerate(zip(posteriors, drawn, strict=True)):
        values = tf.nn.relu(values) if layer > 0 else values
        values = tf.pad(values, [[0, 0], [0, 1]], constant_values=1)  # what the bias is a weight of
        values = draw_sums(values, posterior, weights, draw)
    return tfd.Categorical(logits=values)


def define_point_network(images, dropout, hidden_size):
    """P(label|image) by weights that are values; a share of `dropout` of the hidden units is left out."""
    values = tf.layers.flatten(images) * (255 / 126)
    for layer in (1, 2):
        values = tf.layers.dense(values, hidden_size, tf.nn.relu, name=f"layer_{layer}", kernel_initializer="he_normal")
        values = tf.nn.dropout(values, rate=dropout)  # nothing where it is 0
    return tfd.Categorical(logits=tf.layers.dense(values, 10, name="layer_3"))


def minimize(loss: tf.Tensor, name: str = "sgd", learning_rate: float = 0.128, steps: int = 0) -> tf.Operation:
    """A step of the paper's SGD, without momentum and at one rate; or of Adam, whose rate falls to 0 over all `steps`.

    The paper's rate 1e-3 is for the sum over a mini-batch of 128 images (equation 8): 0.128 for their mean.
    """
    if name == "sgd":
        return tf.train.GradientDescentOptimizer(learning_rate).minimize(loss)
    step = tf.train.get_or_create_global_step()
    return tf.train.AdamOptimizer(tf.train.cosine_decay(learning_rate, step, steps)).minimize(loss, step)


def build_graph(
    train_size=60_000, prior=None, draw="local", initial_stddev=0.02, hidden_size=400, seed=0, **optimizer
) -> SimpleNamespace:
    """The bound for the network with Q(weights), as a static graph. Returns everything below by its name.

    Args:
        prior: P(weight); a Gaussian if none is given.
        optimizer: what else `minimize` takes.
    """
    tf.set_random_seed(seed)
    prior = prior or make_prior()
    posteriors = []
    for layer, (inputs, units) in enumerate(itertools.pairwise([784, hidden_size, hidden_size, 10]), start=1):
        with tf.variable_scope(f"layer_{layer}"):
            posteriors.append(make_posterior(inputs, units, initial_stddev))
    drawn = [posterior.sample() for posterior in posteriors]  # new ones in each session.run

    images = tf.placeholder(tf.float32, [None, 28, 28], "images")  # grey, in [0, 1]
    label = tf.placeholder(tf.int32, [None], "label")
    dist = define_network(images, posteriors, drawn, draw)
    with tf.name_scope("elbo"):  # slide 29: an image's share, in nats
        log_prob = tf.reduce_mean(dist.log_prob(label))  # []
        layers = zip(posteriors, drawn, strict=True)
        kl = sum(make_divergence(posterior, prior, weights) for posterior, weights in layers) / train_size  # []
        elbo = log_prob - kl  # []
    with tf.name_scope("optimize"):
        optimize = minimize(-elbo, **optimizer)
    with tf.name_scope("output"):
        probability = define_network(images, posteriors, drawn, "shared").probs_parameter()  # [N, 10]
        mean_probability = define_network(images, posteriors, drawn, "mean").probs_parameter()  # [N, 10]
    return SimpleNamespace(**locals())


def build_point_graph(dropout=0.0, hidden_size=400, learning_rate=0.128, seed=0) -> SimpleNamespace:
    """The log probability for the network of weights that are values, and SGD without momentum, as in the paper."""
    tf.set_random_seed(seed)
    network = tf.make_template("network", define_point_network, hidden_size=hidden_size)
    images = tf.placeholder(tf.float32, [None, 28, 28], "images")
    label = tf.placeholder(tf.int32, [None], "label")
    dist = network(images, dropout)
    log_prob = tf.reduce_mean(dist.log_prob(label))  # [], nats
    with tf.name_scope("optimize"):
        optimize = minimize(-log_prob, "sgd", learning_rate)
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
    prediction = bayesian_network.predict(session, model, test.images, draws)  # [draws, N, 10]
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
    parameters = [*(layer.loc for layer in model.posteriors), *(layer.scale for layer in model.posteriors)]
    for draw in DRAWS:
        dist = define_network(model.images, model.posteriors, model.drawn, draw)
        log_prob = tf.reduce_mean(dist.log_prob(model.label))
        gradients[draw] = tf.concat([tf.reshape(part, [-1]) for part in tf.gradients(log_prob, parameters)], axis=0)
    return gradients


def vary(session: tf.Session, gradients: dict[str, tf.Tensor], feed: dict, draws: int = 50) -> dict[str, dict]:
    """For each way to draw the weights, the variances over draws of its gradients [2W], summed up over each half."""
    numbers = {}
    for way, gradient in gradients.items():
        both = np.split(np.array([session.run(gradient, feed) for _ in range(draws)]), 2, axis=1)
        by_means, by_stddevs = (half.var(axis=0, ddof=1, dtype=np.float64).sum() for half in both)
        numbers[way] = {"by_means_variance": by_means, "by_stddevs_variance": by_stddevs}
    return numbers


def prune(
    session: tf.Session, model: SimpleNamespace, images: np.ndarray, labels: np.ndarray, draws: int
) -> dict[str, list[float]]:
    """The error in percent on images [N, 28, 28] with fewer and fewer weights kept in all layers together.

    Kept are those whose |mean| / stddev is largest, or whose |mean| is; the others' means and stddevs are set to 0.
    Predictions are made by the mean weights, but for `by_signal_to_noise`: averaged over draws of the weights.
    """
    parts = [*(layer.loc for layer in model.posteriors), *(layer.scale for layer in model.posteriors)]
    values = session.run(parts)
    mean, stddev = np.split(np.concatenate([value.ravel() for value in values]), 2)
    cuts = np.cumsum([value.size for value in values])[:-1]

    def error(importance, fraction, probability, draws=1):
        both = np.concatenate([pruning.prune(array, importance, fraction) for array in (mean, stddev)])
        arrays = zip(parts, values, np.split(both, cuts), strict=True)
        feed = {part: array.reshape(value.shape) for part, value, array in arrays} | {model.images: images}
        each = [session.run(probability, feed) for _ in range(draws)]
        return uncertainty.percent_wrong(np.mean(each, axis=0), labels)

    ratio, size = np.abs(mean) / stddev, np.abs(mean)
    return {
        "kept": list(KEPT),
        "by_signal_to_noise": [error(ratio, fraction, model.probability, draws) for fraction in KEPT],
        "by_signal_to_noise_mean_weights": [error(ratio, fraction, model.mean_probability) for fraction in KEPT],
        "by_mean": [error(size, fraction, model.mean_probability) for fraction in KEPT],
    }


def build(config: dict, train_size: int) -> SimpleNamespace:
    """The graph of a variant's configuration."""
    given = {name: config[name] for name in ("hidden_size", "learning_rate", "seed")}
    if config["prior"] is None:
        return build_point_graph(config["dropout"], **given)
    given |= {"name": config["optimizer"], "steps": config["epochs"] * (train_size // config["batch_size"])}
    numbers = (config[name] for name in ("prior_stddev", "wide_share", "wide_stddev", "narrow_stddev"))
    prior = make_prior(config["prior"], *numbers)
    return build_graph(train_size, prior, config["draw"], config["initial_stddev"], **given)


def train_one(config: dict, train: mnist.Dataset, test: mnist.Dataset, folder: Path) -> dict:
    """Trains a variant in a folder of its own, or resumes it there. Returns what its results.json says."""
    name, batch_size, draws, seen = config["variant"], config["batch_size"], config["draws"], train.first(10_000)
    with tf.Graph().as_default(), tf.Session() as session:
        model = build(config, len(train))
        gradients = make_gradients(model) if name == "gaussian" else {}
        run = Run(__file__, folder, config, resume=True)
        if finished := models.read_results(run.folder):
            return finished
        # One session.run of `optimize` does the slide's step for each batch_size of the images that are fed
        optimize = each_batch(model.optimize, batch_size, [model.images, model.label], config["plain"])
        initialize = tf.global_variables_initializer()
        session.run(initialize)
        for epoch in run.epochs(session, config["epochs"]):  # 0 to epochs, with a progress bar
            if epoch > 0:  # 0 is before training
                for batch in mnist.batches(train, batch_size, [config["seed"], epoch], TOGETHER):
                    session.run(optimize, {model.images: batch.images, model.label: batch.labels})
            run.log(session, epoch, **evaluate(session, model, seen, test))
        numbers = measure(session, model, train, test, draws)
        if name in pictures.PRUNED:
            numbers["pruning"] = prune(session, model, test.images, test.labels, draws)
        if gradients:
            first = train.first(batch_size)
            feed = {model.images: first.images, model.label: first.labels}
            trained = vary(session, gradients, feed)
            session.run(initialize)
            numbers["gradients"] = {"trained": trained, "untrained": vary(session, gradients, feed)}
        return run.finish(**numbers)


def main(
    epochs: int = 20,
    batch_size: int = 128,
    hidden_size: int = 400,
    learning_rate: float = 0.128,
    initial_stddev: float = 0.02,
    prior_stddev: float = 0.3,
    wide_share: float = 0.25,
    wide_stddev: float = 1.0,
    narrow_stddev: float = 0.00091,
    draws: int = 20,
    grid: bool = False,
    held_out: bool = False,
    seed: int = 0,
    plain: bool = False,
    logdir: Path = Path("runs/paper_bbb"),
) -> dict:
    """Trains the networks of Blundell et al.'s table 1 on MNIST, one after the other; rerun the command to resume.

    Args:
        epochs: passes over the training images, for each row of table 1; the shorter runs have 10.
        batch_size: images in a mini-batch.
        hidden_size: units in each of the two hidden layers.
        learning_rate: of SGD without momentum, for the mean over a mini-batch.
        initial_stddev: of Q(weights).
        prior_stddev: of the Gaussian prior.
        wide_share: of the wide Gaussian in the mixture.
        wide_stddev: its stddev.
        narrow_stddev: the other's.
        draws: of the weights, to average predictions over.
        grid: in place of all these, train mixtures of the paper's grid, held out, to choose one.
        held_out: train on all but the last 10,000 training images, and test on those: for choices.
        seed: of the initial weights, the order of the images and the draws.
        plain: train without XLA, TensorFlow's compiler: slower, but tf.print and all other operations work.
        logdir: the folder, with one of its own for each variant.
    """
    held_out = held_out or grid
    flags = dict(locals())
    models.refuse_run(logdir)
    train, test = mnist.load("train"), mnist.load("test")
    if held_out:
        train, test = train.hold_out()
    results = {}
    for name, own in (GRID if grid else VARIANTS).items():
        config = {"variant": name} | DEFAULTS | flags | own | {"seed": seed + own.get("seed", 0)}
        print("\n" + ", ".join(f"{key} {value}" for key, value in config.items()))
        results[name] = train_one(config, train, test, logdir / name)
    columns = ["test_error_percent", "test_error_percent_mean_weights", "train_elbo_nats", "epochs", "seed", "seconds"]
    models.print_table(results, columns)
    if not grid:
        draw(results, logdir)
    return results


def draw(results: dict[str, dict], logdir: Path) -> None:
    """The three pictures of the variants together."""
    curves = {name: read_curves(logdir / name / "test")["error_percent"] for name in results}
    pruned = {name: results[name]["pruning"] for name in pictures.PRUNED}
    plotting.save(pictures.draw_epochs(curves), logdir / "pictures" / "epochs.png")
    plotting.save(pictures.draw_gradients(results["gaussian"]["gradients"]), logdir / "pictures" / "gradients.png")
    plotting.save(pictures.draw_pruning(pruned), logdir / "pictures" / "pruning.png")
    print(f"Pictures: {logdir}")


if __name__ == "__main__":
    command_line.run(main)
