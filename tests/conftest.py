"""What several tests share: a part of MNIST, a VAE trained on it, and scripts as a student runs them."""

import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from lecture10_vae import vae
from lecture10_vae.tf1 import tf
from lecture10_vae.utils import mnist

REPOSITORY = Path(__file__).resolve().parents[1]

# Processes that share the tests share the cores, too: with all cores for each the tests take a twelfth longer.
if workers := int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", 0)):
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", str(max(1, os.cpu_count() // workers)))


def wait_until(holds, seconds=10):
    """Waits until a function of a page, say, returns True; fails if it does not within so many seconds."""
    end = time.monotonic() + seconds
    while not holds() and time.monotonic() < end:
        time.sleep(0.05)
    assert holds()


def content(folder, pattern="*"):
    """What lies in a folder and those below it, by path."""
    return {path: path.read_bytes() if path.is_file() else b"" for path in folder.rglob(pattern)}


@pytest.fixture(scope="session")
def small_mnist():
    """The first 2,000 training and 1,000 test images."""
    return {part: mnist.load(part).first(count) for part, count in {"train": 2_000, "test": 1_000}.items()}


@pytest.fixture
def on_small_mnist(small_mnist, monkeypatch):
    """Lets the scripts, called in this process, find just `small_mnist`."""
    monkeypatch.setattr(mnist, "load", lambda part, data_dir=None: small_mnist[part])


@pytest.fixture(scope="session")
def vae_run(small_mnist, tmp_path_factory):
    """A run of vae.py on `small_mnist`, of 12 epochs: its `folder`, which is left as it is, and `results`."""
    folder = tmp_path_factory.mktemp("checkout") / "runs" / "vae"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mnist, "load", lambda part, data_dir=None: small_mnist[part])
        return SimpleNamespace(folder=folder, results=vae.main(epochs=12, batch_size=20, logdir=folder))


@pytest.fixture
def vae_alone(monkeypatch):
    """Leaves out of vae.py what takes longer than a short training: what is measured after it, and the pictures."""
    monkeypatch.setattr(vae.evidence, "measure", lambda *_: {})
    monkeypatch.setattr(vae.evidence, "describe", lambda _: "")
    monkeypatch.setattr(vae.pictures, "draw", lambda *_: None)


@pytest.fixture
def session():
    """A session of a graph of its own, which is the default one; its noise is the same each time."""
    with tf.Graph().as_default(), tf.Session() as session:
        tf.set_random_seed(0)
        yield session


@pytest.fixture
def start_script():
    """Starts a script of the lecture as a student does: `start_script("vae", "--epochs", "1", cwd=folder)`."""
    started = []

    def start(name, *flags, cwd, **options):
        command = [sys.executable, "-u", str(REPOSITORY / "lecture10_vae" / f"{name}.py"), *map(str, flags)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        started.append(subprocess.Popen(command, cwd=cwd, **pipes, **options))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()
