"""The benchmarks' arithmetic, on made-up numbers, and our contenders, on few images: no peer is needed."""

import importlib
import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from matplotlib import pyplot as plt

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

    def floor(**ways):
        ways = {title: {"epochs": [99, seconds, seconds]} for title, seconds in ways.items()}
        return {"way": min(ways, key=lambda title: ways[title]["epochs"][1]), "ways": ways}

    return [
        {"ours": run(1, -157), "jax_scan": run(3, -158.5), "plain": run(0.9, -158), "floor": floor(a=0.5, b=0.8)},
        {"ours": run(2, -159), "jax_scan": run(6, -158.5), "plain": run(2.4, -158), "floor": floor(a=1.3, b=1.2)},
    ]


def test_a_table_of_medians_and_ratios_fastest_first(load, rounds):
    table = load("run").summarize(rounds)
    assert list(table) == ["floor", "ours", "plain", "jax_scan"]
    assert table["jax_scan"]["epoch"] == 4.5
    for what in ("epoch", "job"):
        assert table["jax_scan"][f"{what}_ratio"] == pytest.approx(3)
        assert table["plain"][f"{what}_ratio_range"] == pytest.approx([0.9, 1.2])
    assert table["plain"]["peak_memory_ratio_range"] == [1, 1]
    assert table["plain"]["spread"] == pytest.approx(2.4 / 0.9 - 1)
    assert table["ours"]["bounds"] == [-157, -159]


def test_the_floor_is_the_fastest_way_of_each_round(load, rounds):
    run = load("run")
    assert run.summarize(rounds)["floor"]["epoch_ratio_range"] == pytest.approx([0.5, 0.6])
    compared = run.compare_to_floor(rounds)
    assert compared["ours_range"] == pytest.approx([1 / 0.6, 2])
    assert compared["ways"] == {"a": {"epoch": 0.9, "won": 1}, "b": {"epoch": 1, "won": 1}}


def test_noise_is_said(load, rounds):
    run, report = load("run"), load("report")
    judged = run.judge_noise(run.summarize(rounds), 3)
    assert judged["too_noisy"]
    assert judged["spread"] == pytest.approx({"ours": 1, "floor": 1.4})
    assert judged["undecided"] == {"epoch": ["plain"], "job": ["plain"]}
    page = " ".join(report.noise(judged, 3))
    assert "too noisy to tell" in page
    assert "140 %" in page
    assert "by the epoch: TensorFlow 1" in page
    quiet = run.judge_noise(run.summarize(rounds[:1] * 3), 3)
    assert not quiet["too_noisy"]
    assert "quiet enough" in report.noise(quiet, 3)[0]
    assert "Too few rounds" in report.noise(run.judge_noise(run.summarize(rounds), 2), 2)[0]


def test_every_second_round_runs_backwards(load, monkeypatch):
    run, ran = load("run"), []
    record = {"epochs": [1, 1], "job": 1, "bound": -158, "peak_memory": 1}
    monkeypatch.setattr(run.children, "run_contender", lambda name, **_: ran.append(name) or record)
    monkeypatch.setattr(run.children, "run_floor", lambda title, _: ran.append(title) or {"epochs": [1, len(title)]})
    rounds = [run.run_round(seed, 2) for seed in range(2)]
    assert ran[: len(ran) // 2] == ran[: len(ran) // 2 - 1 : -1] == [*run.children.CONTENDERS, *run.children.FLOORS]
    assert [*rounds[0]] == [*rounds[1]] == [*run.children.CONTENDERS, "floor"]
    assert rounds[1]["floor"]["way"] == "PyTorch"  # the shortest title, here the fastest way


def test_the_page_and_the_plot_show_every_contender(load, rounds):
    run, report = load("run"), load("report")
    table = run.summarize(rounds)
    size = {"epoch": 2.5, "peak_memory": 2**29}
    results = {
        "rounds": 2,
        "epochs": 3,
        "machine": {"processor": "A processor", "cores": 2, "versions": {"jax": "1.2"}},
        "table": table,
        "floor": run.compare_to_floor(rounds),
        "noise": run.judge_noise(table, 2),
        "scripts": {"vae": {"first_line": 3.14, "job": 40, "peak_memory": 2**30}},
        "loops": {"regression": {"one_by_one": 3, "without_xla": 2.5, "together": 1.5, "ratio": 2}},
        "growth": {"batch_size": {"20": size, "100": size}, "images": {"60000": size}},
        "largest": {"images": {"size": 2_400_000, "peak_memory": 2**31, "peak_memory_of_twice": 2**33}},
    }
    page = report.markdown(results)
    scan = (
        "| JAX, epoch as one lax.scan | 4.500 | 3.00 (3.00-3.00) | 45.0 | 3.00 (3.00-3.00) | 1024 | 1.00 (1.00-1.00) |"
    )
    assert f"{scan} -158.5 |" in page
    assert "| the floor: matrix products alone, the fastest way | 0.850 | 0.55 (0.50-0.60) |  |  |  |  |  |" in page
    assert "Our epoch takes 1.83 (1.67-2.00) times the floor" in page
    assert "| vae.py | 3.1 | 40.0 | 1024 |\n| all |  | 40.0 |  |" in page
    assert "| regression.py | 3.00 | 2.50 | 1.50 | 2.00 |" in page
    assert "| s an epoch, ours | 2.50 | 2.50 |\n| peak MiB | 512 | 512 |" in page
    assert "| images | 2,400,000 | 2048 | 8192 |" in page
    picture = report.plot(results)
    bars = picture.axes[0]
    assert len(bars.patches) == 4
    assert {label.get_text() for label in bars.texts} == {"0.55", "1.00", "1.05", "3.00"}
    plt.close(picture)


def test_sizes_are_doubled_until_they_do_not_fit(load, monkeypatch):
    growth = load("growth")
    monkeypatch.setattr(growth.children, "run_contender", lambda name, **options: {"peak_memory": options["images"]})
    found = {"size": 4_000, "peak_memory": 4_000, "peak_memory_of_twice": 8_000}
    assert growth.largest("images", 1_000, limit=7_000) == found
    assert growth.largest("batch_size", 1_000, limit=7_000) == found  # a mini-batch needs as many images


def test_a_size_that_fails_does_not_fit(load, monkeypatch):
    growth = load("growth")

    def run(name, images, **options):
        if images > 2_000:
            raise growth.children.ChildFailed("out of memory")
        return {"peak_memory": images}

    monkeypatch.setattr(growth.children, "run_contender", run)
    assert growth.largest("images", 1_000) == {"size": 2_000, "peak_memory": 2_000, "peak_memory_of_twice": None}


def test_a_child_that_fails_ends_all_with_its_words(load, monkeypatch):
    children = load("children")
    failed = subprocess.CompletedProcess([], 1, "", "no memory left")
    monkeypatch.setattr(children.subprocess, "run", lambda *args, **options: failed)
    with pytest.raises(SystemExit, match=r"(?s)ours.py --images=5 failed.*no memory left"):
        children.run_contender("ours", images=5)


@pytest.mark.parametrize("way", ["numpy", "tensorflow"])
def test_each_way_to_the_floor_does_the_products(load, way):
    floor = load("floor")
    matrices = floor.make_matrices(batch=7, width=30, hidden=5)
    with tf.Graph().as_default():
        gradients = floor.WAYS[way](*matrices)(6)
    floor.check(gradients, *matrices, steps=6)
    with pytest.raises(AssertionError):
        floor.check(gradients, *matrices, steps=5)


@pytest.mark.parametrize("way", ["jax", "torch"])
def test_the_peers_way_to_the_floor_does_the_products(way):
    """Where `make bench` has made their environments: floor.py ends with an error if the products are wrong."""
    python = BENCHMARKS / f".venv-{way}/bin/python"
    if not python.exists():
        pytest.skip("make bench makes it")
    subprocess.run([python, BENCHMARKS / "floor.py", f"--way={way}", "--epochs=1", "--steps=6"], check=True)


def test_the_products_are_the_gradients_of_two_layers(load):
    """By finite differences: without activations, the loss half the logit's square."""
    floor = load("floor")
    (image, *_), first, last = (array.astype(float) for array in floor.make_matrices(batch=4, width=6, hidden=3))
    gradients = floor.products(image, first, last)
    for kernel, gradient in zip((first, last), gradients, strict=True):
        kernel[2, 1] += 1e-5
        above = ((image @ first @ last) ** 2).sum() / 2
        kernel[2, 1] -= 2e-5
        below = ((image @ first @ last) ** 2).sum() / 2
        kernel[2, 1] += 1e-5
        assert gradient[2, 1] == pytest.approx((above - below) / 2e-5, rel=1e-6)


def test_no_library_is_held_back_by_the_shell(load, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Prescott")
    environment = load("children").environment(OPENBLAS_CORETYPE="Haswell")
    assert "OMP_NUM_THREADS" not in environment
    assert environment["OPENBLAS_CORETYPE"] == "Haswell"


def test_bounds_are_compared_by_their_means_over_the_rounds(load):
    far_from_the_rest = load("run").far_from_the_rest
    near = {"ours": [-157.0, -159.0], "jax_scan": [-158.0, -158.5], "plain": [-157.2, -157.8]}
    assert far_from_the_rest(near) == {}
    assert far_from_the_rest(near | {"torch_eager": [-160.5, -160.5]}) == {"torch_eager": pytest.approx(-2.375)}
    assert list(far_from_the_rest(near | {"torch_eager": [float("nan")] * 2})) == ["torch_eager"]


def test_every_contender_is_a_script_with_an_environment(load):
    children = load("children")
    others = {"children", "cluster", "contender", "floor", "growth", "loops", "report", "run"}
    assert {*children.CONTENDERS} | others == {file.stem for file in BENCHMARKS.glob("*.py")}
    assert {way for way, *_ in children.FLOORS.values()} == {*load("floor").WAYS}
    for environment in [place for place, _ in children.CONTENDERS.values()] + [
        row[1] for row in children.FLOORS.values()
    ]:
        peer = environment.partition("-")[2]
        assert not peer or (BENCHMARKS / f"requirements-{peer}.txt").exists()


def test_every_script_of_the_lecture_is_waited_for(load):
    behind = {"__init__", "each_batch", "show_runs", "tf1"}
    assert {*load("run").SCRIPTS} | behind == {file.stem for file in (BENCHMARKS.parent / "lecture10_vae").glob("*.py")}


def test_more_images_than_there_are_come_by_repetition(load, small_mnist, monkeypatch, capsys):
    contender = load("contender")
    monkeypatch.setattr(contender.mnist, "load", lambda part: small_mnist[part])
    pixels, seen = small_mnist["train"].pixels.reshape(-1, 784), []
    monkeypatch.setattr("sys.argv", ["ours.py", "--epochs=1", f"--images={2 * len(pixels) + 100}"])
    contender.run(lambda images, options: (seen.append(images) or (lambda order: None), lambda test: -1))
    np.testing.assert_array_equal(seen[0], np.concatenate([pixels, pixels, pixels[:100]]))
    assert json.loads(capsys.readouterr().out)["bound"] == -1


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


def test_how_many_a_parameter_server_can_feed(load):
    cluster = load("cluster")
    row = {"compiled": {"parameters": 250_000, "steps_per_second": 300}, "plain": {"steps_per_second": 100}}
    row |= {str(n): {"steps_per_second": 80, "bytes_per_step": 2e6, "server_seconds_per_step": 0.002} for n in (1, 2)}
    # Each that trains wants 100 steps of 1 MB in each direction a second, and a fifth of a core
    assert cluster.fed(row, link=1e9) == pytest.approx(10)
    assert cluster.served(row, cores=2) == pytest.approx(10)
    page = cluster.markdown({"cores": 2, "rows": {"vae": row, "iwae_50": row}})
    assert "| 10 Gbit/s | 12.5 | 12.5 |" in page
    assert "| parameters | 250,000 | 250,000 |" in page
