"""TensorBoard as the notes promise it: what `make tensorboard` says, and what a browser then shows."""

import contextlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from urllib.parse import parse_qs

import numpy as np
import pytest

from lecture10_vae import (
    bayesian_network,
    classification,
    distributions,
    lower_bound,
    regression,
    show_runs,
    vae,
    variational_inference,
)
from lecture10_vae.tf1 import tf
from lectures.source import screenshots
from tests.conftest import wait_until

needs_browser = pytest.mark.skipif(screenshots.find_browser() is None, reason="no Chromium or Chrome here")
needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="no make here")

TAKEN_PORT = 6006  # TensorBoard's first choice
EPOCHS = 12  # more than the ten pictures that TensorBoard would keep


@pytest.fixture(scope="module")
def address(vae_run):
    with screenshots.serve(vae_run.folder) as address:
        yield address


@pytest.fixture(scope="module")
def browser():
    with screenshots.open_browser() as browser:
        yield browser


@pytest.fixture
def page(browser):
    page = screenshots.open_page(browser, width=1500, scale=1)
    yield page
    page.close()


def make_tensorboard(folder):
    """What `make tensorboard` does in a checkout, as one process: no environment is made."""
    make = ["make", "-n", "-o", ".venv/ready", "--no-print-directory", "tensorboard"]
    command = subprocess.run(make, cwd=screenshots.REPOSITORY, capture_output=True, text=True, check=True).stdout
    _, *arguments = command.split()
    arguments[0] = str(screenshots.REPOSITORY / arguments[0])
    # A shell that starts its jobs in the background has them ignore Ctrl-C.
    heed = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, *arguments], cwd=folder, **pipes, **heed)


@needs_make
def test_without_runs_one_line_says_what_to_do(tmp_path):
    for folder in (tmp_path, tmp_path / "runs"):
        folder.mkdir(exist_ok=True)
        process = make_tensorboard(tmp_path)
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 1
        assert errors == "runs holds no run: train one first, python lecture10_vae/vae.py (make vae).\n"


@needs_make
def test_address_is_all_that_is_printed_and_open_to_this_machine_alone(vae_run):
    with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", TAKEN_PORT)):  # by us or by another process
        process = make_tensorboard(vae_run.folder.parent.parent)
        line = process.stdout.readline()
    try:
        query = r"\?runFilter=%5Evae%2F&tagFilter=.&smoothing=0#timeseries"
        port = int(re.fullmatch(rf"TensorBoard at http://127\.0\.0\.1:(\d+)/{query} \(Ctrl-C ends it\)\n", line)[1])
        assert port != TAKEN_PORT
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/") as page:
            assert b"<title>TensorBoard</title>" in page.read()
        with pytest.raises(OSError, match="refused"):  # an address of this machine too, but not that one
            socket.create_connection(("127.0.0.2", port), timeout=5)
    finally:
        process.send_signal(signal.SIGINT)
        rest = process.communicate(timeout=30)
    assert rest == ("", "")


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        (["--port", "abc"], "tensorboard: error: argument --port: invalid"),
        (["--bogus"], "tensorboard: error: unrecognized arguments: --bogus"),
        (["--logdir", "nowhere"], "nowhere holds no run: train one first"),
    ],
)
def test_mistake_is_one_line(tmp_path, flags, line):
    command = [sys.executable, str(screenshots.REPOSITORY / "lecture10_vae" / "show_runs.py"), *flags]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(line)
    assert len(done.stderr.splitlines()) == 1


def test_address_shows_the_newest_run_alone_whatever_its_name(tmp_path):
    for name in ("vae", "vae (copy)", "a+b/vae.2"):
        query = parse_qs(show_runs.make_query(tmp_path, tmp_path / name).partition("#")[0][1:])
        pattern = re.compile(query["runFilter"][0])
        assert pattern.search(f"{name}/test")
        assert not any(map(pattern.search, ("vae_2/test", "vae copy/test", "aab/vae_2/test", "b/vae/test")))


def drawn_points(view):
    """How many points the curves on a view of scalars have, card by card."""
    paths = [card.locator(".series-view path").all() for card in view.locator("scalar-card").all()]
    return [[path.get_attribute("d").count("L") + 1 for path in curves] for curves in paths]


@needs_browser
def test_curves_of_train_and_test_share_a_plot_and_are_whole(page, address):
    view = screenshots.show_cards(page, address, "^(elbo|kl|reconstruction)$")
    wait_until(lambda: drawn_points(view) == [[EPOCHS + 1, EPOCHS + 1]] * 3)
    for card, name in zip(view.locator("scalar-card").all(), ("elbo", "kl", "reconstruction"), strict=True):
        assert {name, "train", "test"} <= set(card.inner_text().split())


@needs_browser
def test_pictures_of_each_epoch_can_be_looked_at(page, address):
    view = screenshots.show_cards(page, address, "samples|reconstructions", "test")
    assert view.locator("image-card").count() == 2
    for epoch in (0, EPOCHS):
        screenshots.move_to_epoch(view, epoch)
        assert view.get_by_text(f"Step {epoch}", exact=True).count() == 2
        loaded = "images => images.every(image => image.naturalWidth === 280)"
        assert view.locator("image-card img").evaluate_all(loaded)


@needs_browser
def test_histograms_have_a_slice_for_each_epoch(page, address):
    view = screenshots.show_cards(page, address, "code_", "test")
    cards = view.locator("histogram-card").all()
    assert [card.locator("g.histogram").count() for card in cards] == [EPOCHS + 1] * 2


@needs_browser
def test_graph_shows_the_slides_names(page, address):
    graph = screenshots.show_graph(page, address)
    names = graph.locator("g.node").evaluate_all("nodes => nodes.map(node => node.dataset.name)")
    slide = "images prior encoder code decoder reconstruction kl elbo samples"
    assert set(names) == {*slide.split()}


@needs_browser
def test_projector_colours_the_digits(page, address, small_mnist):
    projector = screenshots.show_projector(page, address)
    rows = projector.locator("vz-projector-legend .item").all_inner_texts()
    counts = dict(tuple(map(int, row.split())) for row in rows)  # digit: how many
    assert counts == dict(enumerate(np.bincount(small_mnist["test"].labels)))


@pytest.mark.parametrize(
    ("script", "names"),
    [
        (distributions, "features hidden mean stddev dist other kl_divergence"),
        (regression, "images digit inputs label network loss optimize output squared_error"),
        (classification, "images label inputs network loss optimize probability"),
        (lower_bound, "observation prior posterior code decoder bound optimize"),
        (
            variational_inference,
            "images index prior posterior code decoder reconstruction kl elbo loss infer optimize inference_rate begin",
        ),
        (vae, "images prior encoder code decoder reconstruction kl elbo optimize samples"),
        (bayesian_network, "images label network elbo optimize output"),
    ],
)
def test_graphs_top_level_has_the_slides_names(script, names):
    with tf.Graph().as_default() as graph:
        script.build_graph(**({"num_images": 10} if script is variational_inference else {}))
        assert {operation.name.split("/")[0] for operation in graph.get_operations()} == set(names.split())
