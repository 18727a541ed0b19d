"""Kills at random moments: what a run of hours has to bear. `make soak`, minutes; SOAK=0.1 for a tenth of it.

A command is killed (SIGKILL) and given again until it ends by itself. TensorBoard's reader must then find its curves
without a hole or a double, and each weight where it should be. benchmarks/soak.md says how many kills that were.

Runs are forked from a process that has loaded TensorFlow, so that a moment falls into what the run itself does.
"""

import collections
import datetime
import multiprocessing
import os
import random
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from lecture10_vae.beyond import iwae, models
from lecture10_vae.tf1 import tf
from lecture10_vae.utils import mnist
from lecture10_vae.utils.run import Run, read_curves, restore

if sys.platform == "win32":
    pytest.skip("forks of Unix", allow_module_level=True)

REPOSITORY = Path(__file__).resolve().parents[1]
SHARE = float(os.environ.get("SOAK", 1))
KILLED = collections.defaultdict(collections.Counter)  # by command and newest epoch that was kept: none, some, the last

os.environ["PYTHONPATH"] = os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "tests")])  # for what is forked
forks = multiprocessing.get_context("forkserver")
forks.set_forkserver_preload(["soak"])


def kill_until_it_ends(command, folder, epochs, seconds, seed):
    """Gives a command again and again, and kills it after up to so many seconds, until it ends by itself."""
    moments = random.Random(seed)
    for attempt in range(1_000):
        time.sleep(1)  # less than a command needs to load TensorFlow; files of curves are told apart by the second
        process = forks.Process(target=command, args=(folder,))
        process.start()
        process.join(moments.uniform(0, seconds) * (1 + attempt / 4))  # ever more, so that it ends some day
        if not process.is_alive():
            assert process.exitcode == 0
            return
        process.kill()
        process.join()
        kept = [int(path.stem.partition("-")[2]) for path in folder.glob("weights-*.index")]
        KILLED[command.__name__]["some" if kept and max(kept) < epochs else "the last" if kept else "none"] += 1
    raise AssertionError("It never ended by itself.")


def climb(folder):
    """A run of a variable that climbs by 1 an epoch: most of the milliseconds go into writing curves and weights."""
    with tf.Graph().as_default(), tf.Session() as session:
        height = tf.get_variable("height", [200_000], initializer=tf.zeros_initializer())
        step = tf.assign_add(height, tf.ones([200_000])).op
        run = Run(__file__, folder, {"logdir": folder}, resume=True)
        session.run(tf.global_variables_initializer())
        for epoch in run.epochs(session, 30):
            if epoch > 0:
                session.run(step)
            numbers = {"elbo": session.run(height)[0]}
            run.log(session, epoch, train=numbers, test=numbers)
        run.finish()


@pytest.mark.parametrize("seed", range(max(1, round(20 * SHARE))))
def test_a_climbing_variable(seed, tmp_path):
    kill_until_it_ends(climb, tmp_path / "run", 30, 0.4, seed)
    for part in ("train", "test"):
        assert read_curves(tmp_path / "run" / part)["elbo"] == [(epoch, epoch) for epoch in range(31)]
    with tf.Graph().as_default(), tf.Session() as session:
        height = tf.get_variable("height", [200_000])
        for epoch in (29, 30):
            restore(session, tmp_path / "run", epoch)
            assert set(session.run(height)) == {epoch}


def train_iwae(folder):
    """A paper's model on 200 images, whose bound is measured after some of the epochs."""
    pixels = np.tile(np.uint8([0, 255]), (200, 28, 14))
    mnist.load = lambda part, data_dir: mnist.Dataset(pixels, np.zeros(200, np.int32))
    iwae.main(epochs=60, plain=True, test_images=20, importance_samples=50, logdir=folder)


@pytest.mark.parametrize("seed", range(max(1, round(3 * SHARE))))
def test_iwae(seed, tmp_path):
    kill_until_it_ends(train_iwae, tmp_path / "run", 60, 3, seed)
    for part in ("train", "test"):
        for curve in read_curves(tmp_path / "run" / part).values():
            epochs, bounds = zip(*curve, strict=True)
            assert list(epochs) == sorted(models.evaluated_epochs(60))
            assert bounds[-1] > bounds[0] + 10


@pytest.fixture(scope="session", autouse=True)
def _counts(request):
    """Writes benchmarks/soak.md, if all went well."""
    yield
    if SHARE < 1 or request.session.testsfailed or request.config.option.keyword:
        return
    text = f"""# Runs that were killed

Made by `make soak` on {datetime.date.today()}.

Each command was killed (SIGKILL) at random moments and given again until it ended by itself. All ended with curves
without a hole or a double, as TensorBoard reads them, and the weights of all epochs.

| what | kills | before an epoch was kept | between two epochs | after the last epoch |
|---|---|---|---|---|
"""
    for what, counts in KILLED.items():
        numbers = [counts.total(), counts["none"], counts["some"], counts["the last"]]
        text += f"| {what.replace('_', ' ')} | {' | '.join(map(str, numbers))} |\n"
    (REPOSITORY / "benchmarks" / "soak.md").write_text(text, encoding="utf-8")
