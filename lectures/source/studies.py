"""What holds for more than one seed: each study of the notes over seeds 0 to 4: `make studies`.

A study is a function from a seed to numbers. Those of each seed are kept in runs/studies/<study>/seed-<n>.json with a
digest of the source that they depend on, so that a run that was stopped goes on, and an edit measures anew what it
touches. The pictures of all seeds' numbers are lectures/figures/study_<study>.png.

    python -m lectures.source.studies                          # all that is not measured yet
    python -m lectures.source.studies --only evidence_by_epoch
"""

import functools
import inspect
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import NamedTuple
from unittest import mock

import numpy as np

from lecture10_vae import bayesian_network, lower_bound, regression, vae
from lecture10_vae.load_run import load_run
from lecture10_vae.pictures import amortization as amortization_pictures
from lecture10_vae.pictures import doubt as doubt_pictures
from lecture10_vae.pictures import evidence_by_epoch as evidence_by_epoch_pictures
from lecture10_vae.pictures import gradients as gradients_pictures
from lecture10_vae.pictures import information as information_pictures
from lecture10_vae.pictures import learned_stddev as learned_stddev_pictures
from lecture10_vae.pictures import mean_field as mean_field_pictures
from lecture10_vae.studies import (
    amortization,
    bound_on_grid,
    calibration,
    doubt,
    evidence,
    evidence_by_epoch,
    gaps,
    gaussians,
    gradients,
    information,
    learned_stddev,
    mean_field,
    point_estimate,
    training,
    uncertainty,
)
from lecture10_vae.tf1 import set_random_seed, tf
from lecture10_vae.utils import command_line, mnist, plotting, sources
from lecture10_vae.utils.files import write_json
from lectures.source.measure import mean_and_stddev_of_each

RUNS = Path("runs/studies")
FIGURES = Path(__file__).resolve().parents[1] / "figures"
IMAGES = 2_000  # the first of the test images, and of the training images, where a study takes so many
KEPT = (0, 1, 5, 10, 15)  # slide 26's epochs, whose weights a run of vae.py keeps


class Study(NamedTuple):
    """What is measured for each seed, and the picture of it."""

    measure: Callable[[int], dict]  # the numbers of a seed: scalars, lists, or dicts of them
    draw: Callable[[dict], object]  # a picture of what `mean_and_stddev_of_each` makes of them
    modules: tuple[ModuleType, ...]  # whose source the numbers depend on, besides that of `measure`


def in_columns(rows: list[dict]) -> dict:
    """Dicts of the same keys, which may hold such dicts, as one dict of lists."""
    first = rows[0]
    return {
        key: in_columns([row[key] for row in rows]) if isinstance(first[key], dict) else [row[key] for row in rows]
        for key in first
    }


def trained_vae(seed: int, epoch: int = KEPT[-1]) -> tuple[tf.Session, SimpleNamespace]:
    """The VAE that vae.py trains with this seed, after an epoch out of `KEPT`; trained if it is not."""
    logdir = RUNS / f"vae_seed_{seed}"
    try:
        return load_run(logdir, epoch)
    except command_line.UserError:  # there is none, or one of other code
        vae.main(seed=seed, logdir=logdir, fresh=True)
        return load_run(logdir, epoch)


def measure_evidence_by_epoch(seed: int) -> dict:
    """ln P(x), the bound and the gap on training and on test images, at the epochs of slide 26."""
    parts = {part: mnist.load(part).first(IMAGES).images for part in ("train", "test")}
    by_epoch = {part: [] for part in parts}
    for epoch in KEPT:
        session, model = trained_vae(seed, epoch)
        with session, session.graph.as_default():
            for part, images in parts.items():
                by_epoch[part].append(evidence_by_epoch.measure(session, model, images))
    return {"epochs": list(KEPT), **{part: in_columns(rows) for part, rows in by_epoch.items()}}


def measure_amortization(seed: int) -> dict:
    """What the gap is made of: the encoder trained on, a wider one, train against test images, images refitted."""
    data = mnist.load("train")
    parts = {part: mnist.load(part).first(IMAGES).images for part in ("train", "test")}
    session, model = trained_vae(seed)
    with session, session.graph.as_default():
        wide = tf.make_template("wide_encoder", vae.make_encoder, hidden_size=400)
        return amortization.measure(session, model, wide, data, parts, seed)


def measure_information(seed: int) -> dict:
    """The mean divergence as mutual information and the aggregate's divergence, on all test images, by epoch."""
    images, by_epoch = mnist.load("test").images, []
    for epoch in KEPT:
        session, model = trained_vae(seed, epoch)
        with session:
            by_epoch.append(information.measure(session, model, images))
    return {"epochs": list(KEPT), "test": in_columns(by_epoch)}


def measure_gradients(seed: int) -> dict:
    """How noisy five estimates of slide 6's gradient are, and its three forms, far off and at the best Q."""
    numbers = {}
    for family, full_covariance in mean_field.FAMILIES.items():
        with tf.Graph().as_default(), tf.Session() as session:
            model = lower_bound.build_graph(full_covariance)
            session.run(tf.global_variables_initializer())
            numbers[family] = gradients.measure(session, model, *evidence.code_grid(), draws=4_000, seed=seed)
    return numbers


def measure_mean_field(seed: int) -> dict:
    """The exact posterior of a logistic regression's two weights, and the Gaussians that slide 11's bound finds."""
    return mean_field.measure(*mean_field.two_pixels(mnist.load("train"), seed=seed), seed=seed)


def measure_doubt(seed: int) -> dict:
    """The Bayesian layer's doubt on digits and on noise by epoch, and that of an ensemble of five point estimates."""
    data, test = mnist.load("train"), mnist.load("test")
    share = doubt.share_of_ink(data.images)
    given = test.images, test.labels, doubt.make_noise(share, seed=seed)
    by_epoch = []
    with tf.Graph().as_default(), tf.Session() as session:
        model = bayesian_network.build_graph(len(data.labels), seed=seed)
        step = model.optimize, data, max(doubt.EPOCHS), model.images, model.label
        predict = functools.partial(bayesian_network.predict, session=session, model=model)
        for epoch in training.train_epochs(session, *step, batch_size=200, seed=seed):
            if epoch in doubt.EPOCHS:
                stddev = doubt.blank_stddev(session.run(model.stddev), share)
                numbers = doubt.measure(functools.partial(predict, draws=20), *given)
                by_epoch.append({"epoch": epoch, "blank_stddev": stddev} | numbers)
        five_draws = doubt.measure(functools.partial(predict, draws=5), *given)  # as many as the ensemble has members
    members = [train_point_estimate(data, 5 * seed + member) for member in range(5)]
    kernels, biases = (np.stack(arrays) for arrays in zip(*members, strict=True))
    return {
        "by_epoch": in_columns(by_epoch),
        "bayesian": by_epoch[-1],
        "bayesian_five_draws": five_draws,
        "ensemble": doubt.measure(functools.partial(doubt.predict_each, kernels=kernels, biases=biases), *given)
        | {"blank_stddev": doubt.blank_stddev(kernels.std(axis=0, ddof=1), share)},
        "point_estimate": doubt.measure(
            functools.partial(doubt.predict_each, kernels=kernels[:1], biases=biases[:1]), *given
        ),
    }


def measure_learned_stddev(seed: int) -> dict:
    """Regression with stddev 1, the best constant stddev, and learned ones: log probability and accuracy."""
    data, test = mnist.load("train"), mnist.load("test")
    numbers = {}
    for name, floor in learned_stddev.NETWORKS.items():
        define_network = functools.partial(learned_stddev.with_floor, regression.define_network, floor=floor)
        with (
            mock.patch.object(regression, "define_network", define_network),
            tf.Graph().as_default(),
            tf.Session() as session,
        ):
            model = regression.build_graph(learn_stddev=floor is not None, seed=seed)
            step = model.optimize, data, learned_stddev.EPOCHS, model.images, model.digit
            training.train(session, *step, seed=seed)
            numbers[name] = learned_stddev.measure(session, model, data, test)
    return numbers


def train_point_estimate(data: mnist.Dataset, seed: int) -> list[np.ndarray]:
    """The weights [784, 10] and [10] of bayesian_network.py's point estimate, trained as long as its Bayesian layer."""
    with tf.Graph().as_default(), tf.Session() as session:
        set_random_seed(seed)
        images, label = tf.placeholder(tf.float32, [None, 28, 28]), tf.placeholder(tf.int32, [None])
        point = point_estimate.build_graph(images, label)
        step = point.optimize, data, max(doubt.EPOCHS), images, label
        training.train(session, *step, batch_size=200, seed=seed)
        return session.run([point.kernel, point.bias])


STUDIES = {  # by the name that the files in studies/, pictures/ and figures/ share
    "evidence_by_epoch": Study(
        measure_evidence_by_epoch, evidence_by_epoch_pictures.draw, (vae, evidence, evidence_by_epoch, gaussians)
    ),
    "amortization": Study(
        measure_amortization, amortization_pictures.draw, (vae, evidence, gaussians, amortization, training)
    ),
    "information": Study(measure_information, information_pictures.draw, (vae, information)),
    "gradients": Study(
        measure_gradients, gradients_pictures.draw, (lower_bound, bound_on_grid, evidence, gaps, gradients, mean_field)
    ),
    "mean_field": Study(measure_mean_field, mean_field_pictures.draw, (evidence, mean_field)),
    "learned_stddev": Study(
        measure_learned_stddev, learned_stddev_pictures.draw, (regression, learned_stddev, training)
    ),
    "doubt": Study(
        measure_doubt,
        doubt_pictures.draw,
        (bayesian_network, calibration, doubt, point_estimate, training, uncertainty),
    ),
}


def path_of(name: str, seed: int) -> Path:
    """The file of a study's numbers with a seed."""
    return RUNS / name / f"seed-{seed}.json"


def source_of(study: Study) -> dict[str, str]:
    """Digests of the source that a study's numbers depend on, by definition."""
    file = inspect.getsourcefile(study.measure)
    own = f"{study.measure.__name__} in {Path(file).name}"
    return {own: sources.digests(file)[own], **sources.digests(*(module.__file__ for module in study.modules))}


def read(name: str, seed: int) -> dict | None:
    """What was kept of a study with a seed: source, seconds and numbers; None if nothing, or of other source."""
    try:
        kept = json.loads(path_of(name, seed).read_bytes())
    except (OSError, ValueError):
        return None
    return kept if kept.get("source") == source_of(STUDIES[name]) else None


def measure_missing(names: list[str], seeds: range) -> Iterator[str]:
    """Measures what is not kept yet, and yields what there is to say: before each measurement, and after it."""
    kept = {(name, seed): read(name, seed) for name in names for seed in seeds}
    missing = [pair for pair, content in kept.items() if content is None]
    for place, (name, seed) in enumerate(missing, start=1):
        yield f"{place}/{len(missing)} {name}, seed {seed}: {STUDIES[name].measure.__doc__.splitlines()[0]}"
        source, started = source_of(STUDIES[name]), time.perf_counter()  # before, since it may be edited meanwhile
        numbers = STUDIES[name].measure(seed)
        seconds = time.perf_counter() - started
        kept[name, seed] = {"source": source, "seconds": round(seconds, 1), "numbers": numbers}
        write_json(path_of(name, seed), kept[name, seed])
        rest = seconds_of_the_rest(kept)
        yield f"    {seconds:.0f} s; the rest will take about {rest / 60:.0f} min" if rest else f"    {seconds:.0f} s"


def seconds_of_the_rest(kept: dict[tuple[str, int], dict | None]) -> float:
    """How long what is missing will take: each as long as the study's other seeds do, or as all that is known."""
    seconds = {pair: content["seconds"] for pair, content in kept.items() if content}
    by_study = {study: [taken for (name, _), taken in seconds.items() if name == study] for study, _ in kept}
    everything = list(seconds.values())
    likely = [by_study[name] or everything for (name, _), content in kept.items() if content is None]
    return sum(sum(taken) / len(taken) for taken in likely)


def main(only: str = "", seeds: int = 5) -> dict[str, dict]:
    """Measures each study with each seed, where that is not done yet, and draws the studies' pictures.

    Args:
        only: the one study to do.
        seeds: how many, from 0 on.

    Returns:
        For each study its numbers as mean, stddev and values over the seeds.
    """
    command_line.check_numbers(seeds=seeds)
    if only and only not in STUDIES:
        raise command_line.UserError(f"--only {only}: there is no such study, but {', '.join(STUDIES)}.")
    names = [only] if only else list(STUDIES)
    for line in measure_missing(names, range(seeds)):
        print(line, flush=True)
    results = {name: mean_and_stddev_of_each([read(name, seed)["numbers"] for seed in range(seeds)]) for name in names}
    for name, numbers in results.items():
        path = FIGURES / f"study_{name}.png"
        plotting.save(STUDIES[name].draw(numbers), path)
        print(f"Picture: {path}")
    return results


if __name__ == "__main__":
    command_line.run(main)
