"""Kills at random moments: what a run of hours has to bear. `make soak`, some minutes; SOAK=0.1 for a tenth of it.

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
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from test_run import climb, height_of

from lecture10_vae.beyond import iwae
from lecture10_vae.utils import mnist
from lecture10_vae.utils.run import read_curves

if sys.platform == "win32":
    pytest.skip("forks of Unix", allow_module_level=True)

REPOSITORY = Path(__file__).resolve().parents[1]
SHARE = float(os.environ.get("SOAK", 1))
MOMENTS = ["before an epoch was kept", "between two epochs", "after the last epoch"]
KILLED = collections.defaultdict(collections.Counter)  # by command and moment

os.environ["PYTHONPATH"] = os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "tests")])  # for what is forked
forks = multiprocessing.get_context("forkserver")
forks.set_forkserver_preload(["soak"])


def some(count):
    """Numbers 0, 1, ... of so many commands; fewer if SOAK asks for a share."""
    return range(max(1, round(SHARE * count)))


def do(command, output, *given):
    """In a process of its own: a command, which writes to a file."""
    for number in (1, 2):
        os.dup2(os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    command(*given)


def kill_until_it_ends(command, folder, epochs, seconds, seed):
    """Gives a command again and again, and kills it after up to so many seconds, until it ends by itself."""
    moments, output = random.Random(seed), folder.with_suffix(".txt")
    for attempt in range(1_000):
        time.sleep(1)  # less than a command needs to load TensorFlow; files of curves are told apart by the second
        process = forks.Process(target=do, args=(command, output, folder))
        process.start()
        process.join(moments.uniform(0, seconds) * (1 + attempt / 10))  # ever more, so that it ends some day
        if not process.is_alive():
            assert process.exitcode == 0, output.read_text()
            return
        process.kill()
        process.join()
        kept = [int(path.stem.partition("-")[2]) for path in folder.glob("weights-*.index")]
        KILLED[command.__name__][MOMENTS[0 if not kept else 1 if max(kept) < epochs else 2]] += 1
    raise AssertionError(f"not ended: {output.read_text()}")


EPOCHS = 30


def climb_to_the_end(folder):
    """Epochs of milliseconds, most of which go into writing curves and weights."""
    climb(folder, EPOCHS, resume=True, size=200_000)


@pytest.mark.parametrize("seed", some(40))
def test_a_climbing_variable(seed, tmp_path):
    folder = tmp_path / "run"
    kill_until_it_ends(climb_to_the_end, folder, EPOCHS, 0.4, seed)
    for part in ("train", "test"):
        assert read_curves(folder / part)["elbo"] == [(epoch, epoch) for epoch in range(EPOCHS + 1)]
    for epoch in (EPOCHS - 1, EPOCHS):
        assert height_of(folder, epoch, size=200_000) == epoch


def train_iwae(folder):
    """A paper's model on 200 images, whose bound is measured after some of the epochs."""
    pixels = np.tile(np.uint8([0, 255]), (200, 28, 14))
    mnist.load = lambda part, data_dir: mnist.Dataset(pixels, np.zeros(200, np.int32))
    iwae.main(epochs=60, plain=True, test_images=20, importance_samples=50, logdir=folder)


@pytest.mark.parametrize("seed", some(6))
def test_iwae(seed, tmp_path):
    folder = tmp_path / "run"
    kill_until_it_ends(train_iwae, folder, 60, 3, seed)
    epochs = sorted(iwae.evaluated_epochs(60))
    for part in ("train", "test"):
        events = EventAccumulator(str(folder / part), {"scalars": 0}).Reload()
        for tag in ("bound", "elbo"):
            scalars = events.Scalars(tag)
            assert [event.step for event in scalars] == epochs
            assert scalars[-1].value > scalars[0].value + 10
    assert (folder / "results.json").exists()


def write_counts(seconds):
    """benchmarks/soak.md."""
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("tensorflow", "tensorboard"))
    lines = [
        "# Runs that were killed\n",
        f"Made by `make soak` in {seconds / 60:.0f} minutes on {datetime.date.today()}, with {versions}.\n",
        "Each command was killed (SIGKILL) at random moments and given again until it ended by itself. All ended with",
        "curves without a hole or a double, as TensorBoard reads them, and the weights of all epochs.\n",
        f"| what | kills | {' | '.join(MOMENTS)} |",
        f"|---|{'---|' * (1 + len(MOMENTS))}",
    ]
    for what, counts in KILLED.items():
        numbers = [counts.total(), *(counts[moment] for moment in MOMENTS)]
        lines.append(f"| {what.replace('_', ' ')} | {' | '.join(map(str, numbers))} |")
    (REPOSITORY / "benchmarks" / "soak.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.fixture(scope="session", autouse=True)
def _counts(request):
    began, failed = time.monotonic(), request.session.testsfailed
    yield
    if SHARE == 1 and request.session.testsfailed == failed and not request.config.option.keyword:
        write_counts(time.monotonic() - began)
