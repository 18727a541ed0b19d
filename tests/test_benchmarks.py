"""The benchmarks' arithmetic, on made-up numbers, and our contenders, on few images: no peer is needed."""

import importlib
from pathlib import Path

import numpy as np
import pytest

from lecture10_vae import regression, vae
from lecture10_vae.tf1 import tf

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


@pytest.fixture
def load(monkeypatch):
    """Imports a file of benchmarks/, which is a folder of scripts and no package."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module


@pytest.fixture
def rounds():
    """Two rounds; the machine is half as fast in the second. The first epoch, which compiles, must not count."""

    def run(seconds, bound):
        return {"epochs": [99, seconds, seconds], "job": 10 * seconds, "bound": bound, "peak_memory": 2**30}

    return [
        {"ours": run(1, -157), "jax_scan": run(3, -158.5), "plain": run(0.9, -158)},
        {"ours": run(2, -159), "jax_scan": run(6, -158.5), "plain": run(2.4, -158)},
    ]


def test_a_table_of_medians_and_ratios_fastest_first(load, rounds):
    table = load("run").summarize(rounds)
    assert list(table) == ["ours", "plain", "jax_scan"]
    assert table["jax_scan"]["epoch"] == 4.5
    for what in ("epoch", "job"):
        assert table["jax_scan"][f"{what}_ratio"] == pytest.approx(3)
        assert table["plain"][f"{what}_ratio_range"] == pytest.approx([0.9, 1.2])
    assert table["plain"]["peak_memory_ratio_range"] == [1, 1]
    assert table["plain"]["spread"] == pytest.approx(2.4 / 0.9 - 1)
    assert table["ours"]["bounds"] == [-157, -159]


def test_the_page_has_every_contender_script_and_loop(load, rounds):
    run = load("run")
    results = {
        "rounds": 2,
        "epochs": 3,
        "machine": {"processor": "A processor", "cores": 2, "versions": {"jax": "1.2"}},
        "table": run.summarize(rounds),
        "scripts": {"vae": {"first_line": 3.14, "job": 40, "peak_memory": 2**30}},
        "loops": {"regression": {"one_by_one": 3, "without_xla": 2.5, "together": 1.5, "ratio": 2}},
    }
    page = run.markdown(results)
    assert "| JAX, epoch as one lax.scan | 4.500 | 3.00 (3.00-3.00) | 45.0 | 3.00 (3.00-3.00) | 1024 |" in page
    assert "| vae.py | 3.1 | 40.0 | 1024 |\n| all |  | 40.0 |  |" in page
    assert "| regression.py | 3.00 | 2.50 | 1.50 | 2.00 |" in page


def test_bounds_are_compared_by_their_means_over_the_rounds(load):
    far_from_the_rest = load("run").far_from_the_rest
    near = {"ours": [-157.0, -159.0], "jax_scan": [-158.0, -158.5], "plain": [-157.2, -157.8]}
    assert far_from_the_rest(near) == {}
    assert far_from_the_rest(near | {"torch_eager": [-160.5, -160.5]}) == {"torch_eager": pytest.approx(-2.375)}
    assert list(far_from_the_rest(near | {"torch_eager": [float("nan")] * 2})) == ["torch_eager"]


def test_every_contender_and_every_script_of_the_lecture_is_measured(load):
    run = load("run")
    assert {*run.CONTENDERS, "contender", "loops", "run"} == {file.stem for file in BENCHMARKS.glob("*.py")}
    behind = {"__init__", "each_batch", "lecture10_vae", "own_digit", "pictures_to_idx", "show_runs", "tf1"}
    assert {*run.SCRIPTS} | behind == {file.stem for file in (BENCHMARKS.parent / "lecture10_vae").glob("*.py")}


@pytest.mark.parametrize("name", ["ours", "plain"])
def test_contender_trains_and_measures(load, small_mnist, name):
    options, pixels = load("contender").Options(), small_mnist["train"].pixels.reshape(-1, 784)
    with tf.Graph().as_default():
        train_epoch, test_bound = load(name).build(pixels, options)
        before = test_bound(pixels)
        train_epoch(np.arange(len(pixels)))
        assert -560 < before < before + 100 < test_bound(pixels) < -150


@pytest.mark.parametrize("script", [vae, regression])
def test_each_loop_of_a_script_is_timed_with_labels_or_without(load, small_mnist, monkeypatch, script):
    loops = load("loops")
    monkeypatch.setattr(loops, "EPOCHS", 1)
    seconds = loops.time_epochs(script, loops.BATCH_SIZE[script], small_mnist["train"])
    assert {way: len(times) for way, times in seconds.items()} == {"one_by_one": 2, "without_xla": 2, "together": 2}


def test_weights_start_as_those_of_tf_layers_dense(load):
    contender = load("contender")
    weights = contender.initial_weights(contender.Options())
    assert [kernel.shape for kernel, _ in weights] == [(784, 100), (100, 2), (100, 2), (2, 100), (100, 784)]
    for kernel, bias in weights:
        assert 0.9 < np.abs(kernel).max() / np.sqrt(6 / sum(kernel.shape)) <= 1
        assert not bias.any()
