"""Slides 27-29: the Bayesian layer beside a plain one of the same shape, its point estimate, on the same mini-batches.

Is it right more often, better calibrated? Is it less sure of what it is not right about: of turned digits, of images of
other kinds? And which of its weights can go?

    .venv/bin/python lecture10_vae/beyond/experiments/two_layers.py

Half a minute a seed. On test digits the plain layer is as good. The Bayesian one's draws disagree about images that
have ink where digits have none, and by its stddevs more weights can go than by their size alone.
"""

from pathlib import Path
from types import SimpleNamespace

from lecture10_vae import bayesian_network
from lecture10_vae.beyond.experiments import over_seeds
from lecture10_vae.studies import pruning, uncertainty
from lecture10_vae.studies.training import train
from lecture10_vae.tf1 import tf, tfd
from lecture10_vae.utils import command_line, mnist, plotting

import numpy as np

EPOCHS, DRAWS = 30, 20  # bayesian_network.py's
DEGREES = list(range(0, 181, 15))  # to turn the test digits by
PARTS = {"expected_entropy_nats": "left open by the data", "mutual_information_nats": "left open by the weights"}
PART_STYLES = [  # of areas
    {"facecolor": plotting.LIGHT_BLUE, "edgecolor": plotting.BLUE},
    {"facecolor": plotting.BLUE, "edgecolor": plotting.LIGHT_BLUE, "hatch": "\\\\"},
]
POINT_ESTIMATE = {"color": plotting.ORANGE, "linestyle": "dashed", "marker": "s", "label": "point estimate"}


def measure(seed: int) -> dict:
    """Scores, doubt of turned and of unfamiliar images, and pruning of the Bayesian layer and of a plain one."""
    data, test = mnist.load("train"), mnist.load("test")
    with tf.Graph().as_default(), tf.Session() as session:
        model = bayesian_network.build_graph(len(data), seed=seed)
        point = build_point_estimate(model.images, model.label)
        both = tf.group(model.optimize, point.optimize)
        train(session, both, data, EPOCHS, model.images, model.label, batch_size=200, seed=seed)
        predictors = {
            "bayesian": lambda images: bayesian_network.predict(session, model, images, DRAWS),
            "point_estimate": lambda images: predict_point_estimate(session, point, images),
        }
        pruned = measure_pruning(session, model, point, data.images.std(axis=0), test)
        fifth = pruned["kept"].index(0.2)
        return {
            **measure_doubt(predictors, test),
            "pruning": pruned,
            "pruned_to_a_fifth": {way: accuracies[fifth] for way, accuracies in pruned.items() if way != "kept"},
            **measure_logits(session, model, test),
        }


def build_point_estimate(images: tf.Tensor, label: tf.Tensor) -> SimpleNamespace:
    """A plain layer on a model's images [N, 28, 28] and labels [N]. Returns everything below by its name."""
    with tf.variable_scope("point_estimate"):
        logit = tf.layers.dense(tf.layers.flatten(images), 10, name="logit")  # [N, 10]
        dist = tfd.Categorical(logits=logit)
        log_prob = tf.reduce_mean(dist.log_prob(label))  # [], nats
        probability = dist.probs_parameter()  # [N, 10]
        kernel, bias = tf.trainable_variables("point_estimate/logit")  # [784, 10], [10]
        optimize = tf.train.AdamOptimizer(1e-3).minimize(-log_prob)
    return SimpleNamespace(**locals())


def predict_point_estimate(session: tf.Session, point: SimpleNamespace, images: np.ndarray) -> np.ndarray:
    """P(label|image) for images [N, 28, 28], as one draw: [1, N, 10]."""
    return session.run(point.probability, {point.images: images})[np.newaxis]


def measure_doubt(predictors: dict[str, uncertainty.Predictor], test: mnist.Dataset) -> dict:
    """By name each predictor's scores and mean confidence on the test images; "rotation" and "unfamiliar"."""
    numbers = {"rotation": {"degrees": DEGREES} | under_rotation(predictors, test), "unfamiliar": {}}
    for name, predict in predictors.items():
        prediction = predict(test.images)
        confidence = prediction.mean(axis=0).max(axis=1).mean()
        numbers[name] = uncertainty.score(prediction, test.labels) | {"confidence": confidence}
        others = dict(uncertainty.make_unfamiliar(test.images))
        numbers["unfamiliar"][name] = uncertainty.on_unfamiliar(predict, prediction, others)
    return numbers


def under_rotation(predictors: dict[str, uncertainty.Predictor], test: mnist.Dataset) -> dict[str, dict]:
    """Each predictor's accuracy and mean entropies, a list each, on the test images turned by each of DEGREES."""
    rows = {name: [] for name in predictors}
    for angle in DEGREES:
        turned = uncertainty.turn(test.images, angle)
        for name, predict in predictors.items():
            prediction = predict(turned)
            accuracy = np.mean(prediction.mean(axis=0).argmax(axis=1) == test.labels)
            rows[name].append({"accuracy": accuracy} | uncertainty.split_entropy(prediction).means())
    return {name: over_seeds.in_columns(own) for name, own in rows.items()}


def measure_pruning(
    session: tf.Session, model: SimpleNamespace, point: SimpleNamespace, pixel_stddev: np.ndarray, test: mnist.Dataset
) -> dict[str, list[float]]:
    """Accuracy with fewer and fewer weights of either layer, chosen in four ways; pixels' stddevs are [28, 28]."""
    mean, stddev, kernel, kernel_bias = session.run([model.mean, model.stddev, point.kernel, point.bias])
    bias = mean[784] if len(mean) > 784 else session.run(model.network.trainable_variables[2])
    mean, stddev = mean[:784], stddev[:784]
    effect = np.abs(kernel) * pixel_stddev.reshape(784, 1)
    given = test.images, test.labels
    return {
        "kept": list(pruning.KEPT),
        "by_signal_to_noise": pruning.accuracies(mean, bias, np.abs(mean) / stddev, *given),
        "by_mean": pruning.accuracies(mean, bias, np.abs(mean), *given),
        "point_estimate_by_size": pruning.accuracies(kernel, kernel_bias, np.abs(kernel), *given),
        "point_estimate_by_effect": pruning.accuracies(kernel, kernel_bias, effect, *given),
    }


def measure_logits(session: tf.Session, model: SimpleNamespace, test: mnist.Dataset) -> dict[str, float]:
    """Of what size a logit's noise may be: means over test images, for a model without a Bayesian bias.

    Returns:
        logit_margin: the right digit's logit less the mean of the other nine.
        logit_noise_at_default_stddev: the stddev of a logit if each weight had the stddev softplus(0).
    """
    mean, bias = session.run([model.mean, model.network.trainable_variables[2]])
    pixels = test.images.reshape(-1, 784)
    logit, right = pixels @ mean + bias, np.arange(10) == test.labels[:, np.newaxis]
    return {
        "logit_margin": logit[right].mean() - logit[~right].mean(),
        "logit_noise_at_default_stddev": (np.log(2) * np.sqrt((pixels**2).sum(axis=1))).mean(),
    }


def means(numbers: dict):
    """The means alone of what `mean_and_stddev_of_each` returns."""
    return numbers["mean"] if "mean" in numbers else {name: means(some) for name, some in numbers.items()}


def draw_more(numbers: dict, folder: Path) -> None:
    """rotation.png and pruning.png, of means over seeds."""
    numbers, test = means(numbers), mnist.load("test")
    six = test.images[test.labels == 6][:1]
    turned = np.concatenate([uncertainty.turn(six, angle) for angle in DEGREES])
    plotting.save(draw_rotation(turned, **numbers["rotation"]), folder / "rotation.png")
    plotting.save(draw_pruning(**numbers["pruning"]), folder / "pruning.png")


def draw(numbers: dict):
    """Entropies on unfamiliar images, means over seeds."""
    few = mnist.load("test").first(4).images
    examples = {"test digits": few} | dict(uncertainty.make_unfamiliar(few))
    return draw_unfamiliar(examples, **means(numbers["unfamiliar"]))


def draw_rotation(turned: np.ndarray, degrees: list[float], bayesian: dict, point_estimate: dict):
    """Accuracy and entropies, lists over degrees by name for each predictor, over one digit so turned [A, 28, 28]."""
    half = (degrees[1] - degrees[0]) / 2
    with plotting.new_picture(*plotting.SCREEN) as picture:
        upper, lower, strip = picture.subplots(3, 1, sharex=True, height_ratios=[2, 3, 1])
        # The two may coincide: a broad line under a thin one
        upper.plot(degrees, bayesian["accuracy"], color=plotting.LIGHT_BLUE, linewidth=14, label="Bayesian")
        upper.plot(degrees, point_estimate["accuracy"], **POINT_ESTIMATE)
        upper.set(ylabel="accuracy", ylim=(0, 1), xlim=(degrees[0] - half, degrees[-1] + half))
        upper.set_title("Test digits, turned: is it less sure where it is less right?")
        upper.legend(frameon=False)
        below = np.zeros(len(degrees))
        for (name, part), style in zip(PARTS.items(), PART_STYLES, strict=True):
            above = below + bayesian[name]
            lower.fill_between(degrees, below, above, label=f"Bayesian, {part}", **style)
            below = above
        lower.plot(degrees, point_estimate["entropy_nats"], **POINT_ESTIMATE)
        lower.axhline(np.log(10), color=plotting.GRAY, linestyle="dotted", label="no idea: ln 10")
        lower.set(ylabel="entropy, nats", ylim=(0, 2.5))
        lower.legend(ncols=2, loc="upper center", bbox_to_anchor=(0.5, 0.93), frameon=False)
        extent = (degrees[0] - half, degrees[-1] + half, 0, 1)
        turned = plotting.tile(turned, len(turned))
        strip.imshow(turned, cmap=plotting.INK, vmin=0, vmax=1, extent=extent, aspect="auto")
        strip.set(xlabel="degrees", xticks=degrees, yticks=[])
        strip.spines[:].set_visible(False)
    return picture


def draw_unfamiliar(examples: dict[str, np.ndarray], bayesian: dict, point_estimate: dict):
    """Mean entropies of named sets of images for each predictor, over the first four of each set [N, 28, 28]."""
    places = np.arange(len(examples))
    with plotting.new_picture(*plotting.SCREEN) as picture:
        grid = picture.add_gridspec(2, len(examples), height_ratios=[4, 1])
        axes = picture.add_subplot(grid[0, :])
        below = np.zeros(len(examples))
        for (name, part), style in zip(PARTS.items(), PART_STYLES, strict=True):
            values = np.array([bayesian[images][name] for images in examples])
            axes.bar(places - 0.2, values, 0.36, below, label=f"Bayesian, {part}", **style)
            below += values
        plain = [point_estimate[images]["entropy_nats"] for images in examples]
        style = {"facecolor": plotting.LIGHT_ORANGE, "edgecolor": plotting.ORANGE, "hatch": plotting.HATCH}
        axes.bar(places + 0.2, plain, 0.36, label="point estimate", **style)
        axes.axhline(np.log(10), color=plotting.GRAY, linestyle="dotted", label="no idea: ln 10")
        axes.set(xticks=places, xticklabels=examples, xlim=(-0.5, len(examples) - 0.5), ylabel="mean entropy, nats")
        axes.set(title="Is it less sure of what it was not trained on?", ylim=(0, 3.1), yticks=[0, 0.5, 1, 1.5, 2])
        axes.legend(ncols=2, loc="upper center", frameon=False)
        for place, images in enumerate(examples.values()):
            apart = np.pad(images[:4], [(0, 0), (2, 2), (2, 2)])
            plotting.show_images(picture.add_subplot(grid[1, place]), apart, columns=4)
    return picture


def draw_pruning(kept: list[float], **accuracy: list[float]):
    """Accuracy over the fraction of the weights kept, for each way to choose them: by_... or point_estimate_by_...."""
    signs = {
        "size": "|weight|",
        "mean": "|mean|",
        "effect": "|weight| x pixel's stddev",
        "signal_to_noise": "|mean| / stddev",
    }
    blue, orange = plotting.BLUE, plotting.ORANGE
    with plotting.new_picture(*plotting.SCREEN) as picture:
        axes = picture.add_subplot()
        styles = (("o-", blue, blue), ("o:", blue, "white"), ("s:", orange, "white"), ("s-", orange, orange))
        for (name, values), (style, color, face) in zip(accuracy.items(), styles, strict=True):
            predictor, _, sign = name.rpartition("by_")
            label = f"{'point estimate' if predictor else 'Bayesian'}, largest {signs[sign]}"
            axes.plot(kept, values, style, color=color, markerfacecolor=face, label=label)
        axes.set(xscale="log", ylim=(0, 1), xlabel="weights kept; the others are set to zero", ylabel="accuracy")
        axes.set_xticks(kept, [f"{fraction:.0%}" for fraction in kept])
        axes.set_xticks([], minor=True)
        axes.set_title("Accuracy on test images with fewer and fewer weights: which can go?")
        axes.grid(alpha=0.3)
        picture.legend(loc="outside lower center", ncols=2, frameon=False)
    return picture


main = over_seeds.command(measure, draw, "two_layers", draw_more)


if __name__ == "__main__":
    command_line.run(main)
