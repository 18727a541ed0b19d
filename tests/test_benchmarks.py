"""The benchmarks' arithmetic, on made-up numbers, and our contenders, on few images: no peer is needed."""

import importlib
from pathlib import Path

import numpy as np
import pytest
from matplotlib import pyplot as plt

from lecture10_vae import bayesian_network, regression
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
        {"ours": run(1, -157), "jax_scan": run(3, -158.5), "floor": run(0.5, None)},
        {"ours": run(2, -159), "jax_scan": run(6, -158.5), "floor": run(1, None)},
    ]


def test_a_table_of_medians_and_ratios_fastest_first(load, rounds):
    table = load("run").summarize(rounds)
    assert list(table) == ["floor", "ours", "jax_scan"]
    assert table["jax_scan"]["epoch"] == 4.5
    assert table["jax_scan"]["epoch_ratio"] == pytest.approx(3)
    assert table["jax_scan"]["epoch_ratio_range"] == pytest.approx([3, 3])
    assert table["floor"]["epoch_ratio"] == pytest.approx(0.5)
    assert table["ours"]["bounds"] == [-157, -159]


def test_the_page_and_the_plot_show_every_contender(load, rounds):
    run = load("run")
    results = {
        "rounds": 2,
        "epochs": 3,
        "machine": {"processor": "A processor", "cores": 2, "versions": {"jax": "1.2"}},
        "table": run.summarize(rounds),
        "script": {"first_line": 3.14, "first_epoch": 5, "job": 40, "peak_memory": 2**30},
        "loops": {"regression": {"one_by_one": 3, "together": 1.5, "ratio": 2}},
        "scaling": {"batch_size": {"20": 2.5, "100": 1}, "hidden_size": {"100": 1}, "images": {"60000": 1}},
    }
    page = run.markdown(results)
    assert "| JAX, epoch as one lax.scan | 4.50 | 3.00 (3.00-3.00) | 45.0 | 3.00 | 1024 | 1.00 | -158.5 |" in page
    assert "| the floor: matrix products alone, on one core | 0.75 | 0.50 (0.50-0.50) |  |  |  |  |  |" in page
    assert "| s an epoch, ours | 2.50 | 1.00 |" in page
    assert "first line after 3.1 s" in page
    assert "| regression.py | 3.00 | 1.50 | 2.00 |" in page
    picture = run.plot(results)
    assert len(picture.axes[0].patches) == 3
    plt.close(picture)


def test_bounds_are_compared_by_their_means_over_the_rounds(load):
    far_from_the_rest = load("run").far_from_the_rest
    near = {"ours": [-157.0, -159.0], "jax_scan": [-158.0, -158.5], "plain": [-157.2, -157.8]}
    assert far_from_the_rest(near) == {}
    assert far_from_the_rest(near | {"torch_eager": [-159.5, -159.5]}) == {"torch_eager": pytest.approx(-1.375)}
    assert list(far_from_the_rest(near | {"torch_eager": [float("nan")] * 2})) == ["torch_eager"]


def test_every_contender_is_a_script_with_an_environment(load):
    contenders = load("run").CONTENDERS
    assert {*contenders, "contender", "loops", "run"} == {file.stem for file in BENCHMARKS.glob("*.py")}
    for environment, _ in contenders.values():
        peer = environment.partition("-")[2]
        assert not peer or (BENCHMARKS / f"requirements-{peer}.txt").exists()


@pytest.mark.parametrize("name", ["ours", "plain"])
def test_contender_trains_and_measures(load, small_mnist, name):
    options, pixels = load("contender").Options(), small_mnist["train"].pixels.reshape(-1, 784)
    with tf.Graph().as_default():
        train_epoch, test_bound = load(name).build(pixels, options)
        before = test_bound(pixels)
        train_epoch(np.arange(len(pixels)))
        assert -560 < before < before + 100 < test_bound(pixels) < -150


@pytest.mark.parametrize("script", [regression, bayesian_network])
def test_loops_times_both_ways_of_a_script_with_labels(load, small_mnist, monkeypatch, script):
    loops = load("loops")
    monkeypatch.setattr(loops, "EPOCHS", 1)
    seconds = loops.time_epochs(script, loops.BATCH_SIZE[script], small_mnist["train"])
    assert {way: len(times) for way, times in seconds.items()} == {"one_by_one": 2, "together": 2}


def test_weights_start_as_those_of_tf_layers_dense(load):
    contender = load("contender")
    weights = contender.initial_weights(contender.Options())
    assert [kernel.shape for kernel, _ in weights] == [(784, 100), (100, 2), (100, 2), (2, 100), (100, 784)]
    for kernel, bias in weights:
        assert 0.9 < np.abs(kernel).max() / np.sqrt(6 / sum(kernel.shape)) <= 1
        assert not bias.any()
