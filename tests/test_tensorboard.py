"""TensorBoard as the notes promise it: what show_runs.py says, and what a browser then shows."""

import contextlib
import json
import re
import signal
import socket
import urllib.request
from urllib.parse import parse_qs

import numpy as np
import pytest

from lecture10_vae import show_runs
from lectures.source import screenshots
from tests.conftest import wait_until

TAKEN_PORT = 6006  # TensorBoard's first choice
SLIDE = {"images", "prior", "encoder", "code", "decoder", "reconstruction", "kl", "elbo", "samples"}
EPOCHS = 12  # more than the ten pictures that TensorBoard would keep


def test_address_is_all_that_is_printed_and_open_to_this_machine_alone(vae_run, start_script):
    # A shell that starts its jobs in the background has them ignore Ctrl-C.
    heed = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)}
    with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", TAKEN_PORT)):  # by us or by another process
        process = start_script("show_runs", cwd=vae_run.folder.parent.parent, **heed)
        line = process.stdout.readline()
    query = r"\?runFilter=%5E%28vae%29%28_%5Cd%2B%29%3F%2F&tagFilter=.&smoothing=0#timeseries"
    port = int(re.fullmatch(rf"TensorBoard at http://127\.0\.0\.1:(\d+)/{query} \(Ctrl-C ends it\)\n", line)[1])
    assert port != TAKEN_PORT
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/") as page:
        assert b"<title>TensorBoard</title>" in page.read()
    with pytest.raises(OSError, match="refused"):  # an address of this machine too, but not that one
        socket.create_connection(("127.0.0.2", port), timeout=5)
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=30) == ("", "")


def test_without_runs_one_line_says_what_to_do(tmp_path, start_script):
    process = start_script("show_runs", cwd=tmp_path)
    line = "runs holds no run: train one first, .venv/bin/python lecture10_vae/vae.py (make vae).\n"
    assert process.communicate(timeout=60) == ("", line)
    assert process.returncode == 1


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        (["--host", "203.0.113.1"], "Cannot assign requested address\n"),  # an address of nobody's
        (["--bogus"], "tensorboard: error: unrecognized arguments: --bogus\n"),
    ],
)
def test_wrong_flag_is_one_line(vae_run, start_script, flags, line):
    process = start_script("show_runs", *flags, cwd=vae_run.folder.parent.parent)
    assert process.communicate(timeout=60) == ("", line)
    assert process.returncode == 1


def test_address_shows_all_runs_of_the_newest_ones_script_whatever_their_names(tmp_path):
    runs = {"vae": "vae", "vae (copy)": "vae", "a+b/vae.2_3": "vae", "regression": "regression"}
    for name, script in runs.items():
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "flags.json").write_text(json.dumps({"script": script}))
    for newest, script in runs.items():
        query = parse_qs(show_runs.make_query(tmp_path, tmp_path / newest).partition("#")[0][1:])
        pattern = re.compile(query["runFilter"][0])
        others = ["vae copy", "aab/vae.2", "b/vae", "vae_code"]
        shown = {name for name in [*runs, f"{script}_7", *others] if pattern.search(f"{name}/test")}
        assert shown == {f"{script}_7", *(name for name in runs if runs[name] == script)}  # with the next one to come


def drawn_points(view):
    """How many points the curves on a view of scalars have, card by card."""
    paths = [card.locator(".series-view path").all() for card in view.locator("scalar-card").all()]
    return [[path.get_attribute("d").count("L") + 1 for path in curves] for curves in paths]


@pytest.mark.slow
@pytest.mark.skipif(screenshots.find_browser() is None, reason="no Chromium or Chrome here")
def test_browser_shows_curves_pictures_histograms_graph_and_the_projector(vae_run, small_mnist):
    with screenshots.serve(vae_run.folder) as address, screenshots.open_browser() as browser:
        page = screenshots.open_page(browser, width=1500, scale=1)
        view = screenshots.show_cards(page, address, "^(elbo|kl|reconstruction)$")
        wait_until(lambda: drawn_points(view) == [[EPOCHS + 1, EPOCHS + 1]] * 3)
        for card, name in zip(view.locator("scalar-card").all(), ("elbo", "kl", "reconstruction"), strict=True):
            assert {name, "train", "test"} <= set(card.inner_text().split())

        view = screenshots.show_cards(page, address, "samples|reconstructions|code_", "test")
        cards = view.locator("histogram-card").all()
        assert [card.locator("g.histogram").count() for card in cards] == [EPOCHS + 1] * 2
        for epoch in (0, EPOCHS):
            screenshots.move_to_epoch(view, epoch)
            assert view.locator("image-card").get_by_text(f"Step {epoch}", exact=True).count() == 2
            loaded = "images => images.every(image => image.naturalWidth === 280)"
            assert view.locator("image-card img").evaluate_all(loaded)

        graph = screenshots.show_graph(page, address)
        names = graph.locator("g.node").evaluate_all("nodes => nodes.map(node => node.dataset.name)")
        assert set(names) == SLIDE

        projector = screenshots.show_projector(page, address)
        rows = projector.locator("vz-projector-legend .item").all_inner_texts()
        counts = dict(tuple(map(int, row.split())) for row in rows)  # digit: how many
        assert counts == dict(enumerate(np.bincount(small_mnist["test"].labels)))
