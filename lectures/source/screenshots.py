"""Takes the notes' pictures of TensorBoard, in a real browser that is not shown: `make screenshots`.

It trains what is to be seen, five minutes on two cores, starts TensorBoard as `make tensorboard` does, and writes
figures/tensorboard/*.png. Chromium or Chrome must be there.
"""

import contextlib
import io
import itertools
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlencode

from PIL import Image
from playwright.sync_api import Browser, Locator, Page, sync_playwright

from lecture10_vae.utils import command_line

REPOSITORY = Path(__file__).resolve().parents[2]
FIGURES = REPOSITORY / "lectures" / "figures" / "tensorboard"

# One epoch shows the graph as well as forty do.
GRAPHS = {  # script: flags
    "vae": [],
    "distributions": [],
    "regression": ["--epochs", "1"],
    "classification": ["--epochs", "1"],
    "lower_bound": ["--steps", "1"],
    "bayesian_network": ["--epochs", "1", "--draws", "1"],
    "variational_inference": ["--epochs", "1", "--train-images", "1000"],
}
CODE_SIZES = (1, 2, 5, 10)

BROWSERS = ["chromium", "chromium-browser", "google-chrome", "chrome", "msedge"]
# As root too, and with WebGL, which the projector needs, where there is no graphics card
BROWSER_FLAGS = ["--no-sandbox", "--disable-quic", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
PATIENCE = 120_000  # milliseconds, for a slow machine
ASIDE = ("save", "summary", "optimize", "infer", "begin")  # boxes of a graph whose edges would hide the rest


def find_browser() -> str | None:
    """The path of the browser there is."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


@contextlib.contextmanager
def open_browser() -> Iterator[Browser]:
    """A browser without a window."""
    path = find_browser()
    if path is None:
        raise command_line.UserError(f"No browser found ({', '.join(BROWSERS)}): install Chromium or Chrome.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=BROWSER_FLAGS)
        yield browser
        browser.close()


@contextlib.contextmanager
def serve(logdir: Path) -> Iterator[str]:
    """TensorBoard on a folder, with all of it loaded; its address."""
    flags = ["--logdir", str(logdir), "--reload_task=blocking", "--reload_interval=0"]
    command = [sys.executable, str(REPOSITORY / "lecture10_vae" / "show_runs.py"), *flags]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as server:
        try:
            yield next(filter(None, (re.search(r"http://127[^?\s]+", line) for line in server.stdout))).group()
        finally:
            server.terminate()


def open_page(browser: Browser, width: int = 1180, height: int = 1000, scale: int = 2) -> Page:
    """A page, by default drawn finely enough to be cropped and shown 900 pixels wide."""
    page = browser.new_page(viewport={"width": width, "height": height}, device_scale_factor=scale)
    page.set_default_timeout(PATIENCE)
    return page


def show_cards(page: Page, address: str, tags: str, runs: str = "") -> Locator:
    """The cards of Time Series whose tag and run match regular expressions, once all is drawn.

    Curves are shown as they are, not smoothed.
    """
    query = urlencode({"tagFilter": tags, "runFilter": runs, "smoothing": "0", "forceSVG": "true"})
    page.goto(f"{address}?{query}#timeseries")
    page.reload()  # from one query to the next TensorBoard would not look again
    view = page.locator("metrics-filtered-view")
    view.locator("card-view").first.wait_for()
    page.wait_for_load_state("networkidle")
    for button in view.get_by_label("Expand Table").all():  # of more than three runs
        button.click()
    settings = page.locator('[aria-label="Toggle settings side pane"][aria-pressed="true"]')
    if settings.count():
        settings.click()
    page.wait_for_load_state("networkidle")
    for drawn in ("mat-spinner", "metrics-filtered-view .loading"):
        page.wait_for_function("selector => !document.querySelector(selector)", arg=drawn)
    return view


def show_graph(page: Page, address: str) -> Locator:
    """The top level of the first graph there is, without what stands `ASIDE`, once it stands still."""
    page.goto(f"{address}#graphs")
    graph = page.locator("g.core").first
    graph.locator("g.node").first.wait_for()
    for name in ASIDE:
        box = graph.locator(f'g.node[data-name="{name}"] > g.nodeshape')
        if box.count():
            page.get_by_text("Fit to screen").click()
            wait_until_still(page, lambda: (graph.bounding_box(), graph.inner_html()))
            box.click()
            page.get_by_text("Remove from main graph").click()
    page.get_by_text("Fit to screen").click()
    wait_until_still(page, lambda: (graph.bounding_box(), graph.inner_html()))
    page.mouse.click(page.viewport_size["width"] - 300, page.viewport_size["height"] - 50)  # selects nothing
    return graph


def show_projector(page: Page, address: str) -> Locator:
    """The embedding projector, its points coloured by label and seen from above, once it stands still."""
    page.goto(f"{address}#projector")
    projector = page.frame_locator("iframe").frame_locator("iframe").locator("body")
    projector.locator("#colorby").click()
    projector.locator("#colorby paper-item").filter(has_text="label").click()
    projector.locator("#z-checkbox").click()
    wait_until_still(page, projector.screenshot)
    return projector


def wait_until_still(page: Page, look: Callable[[], object]) -> None:
    """Returns once two looks, half a second apart, see the same."""
    before = None
    while (now := look()) != before:
        before = now
        page.wait_for_timeout(500)


def save(name: str, *pictures: bytes, colors: int = 256) -> None:
    """Writes screenshots, one under the other, as a small PNG that is 1600 pixels wide or less."""
    parts = [Image.open(io.BytesIO(picture)).convert("RGB") for picture in pictures]
    width = max(500, *(part.width for part in parts))  # a narrow picture would be drawn large
    tops = [0, *itertools.accumulate(part.height for part in parts)]
    whole = Image.new("RGB", (width, tops[-1]), "white")
    for part, top in zip(parts, tops, strict=False):
        whole.paste(part, (0, top))
    whole.thumbnail((1600, 4000))
    FIGURES.mkdir(parents=True, exist_ok=True)
    whole.quantize(colors).save(FIGURES / f"{name}.png", optimize=True)


def move_to_epoch(cards: Locator, epoch: int) -> None:
    """Sets the sliders of cards with pictures, which stand at the last epoch."""
    for slider in cards.locator("input[type=range]").all():
        slider.press("Home")
        for _ in range(epoch):
            slider.press("ArrowRight")
        slider.blur()
    wait_until_still(cards.page, cards.screenshot)


def train(script: str, logdir: Path, flags: list[str]) -> None:
    """Runs a script, without what it prints."""
    print(f"{logdir.name} ...", flush=True)
    command = [sys.executable, REPOSITORY / "lecture10_vae" / f"{script}.py", "--logdir", logdir, *flags]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def take_graphs(browser: Browser, runs: Path) -> None:
    """Takes each script's graph, and a little around it, as its run shows it."""
    for script in GRAPHS:
        with serve(runs / script) as address:
            page = open_page(browser, width=1500, height=900)
            box = show_graph(page, address).bounding_box()
            clip = {"x": box["x"] - 12, "y": box["y"] - 12, "width": box["width"] + 24, "height": box["height"] + 24}
            save(f"{script}_graph", page.screenshot(clip=clip))


def take_dashboards(browser: Browser, vae: Path, code_sizes: Path) -> None:
    """Takes curves, histograms, images and the projector of a run of vae.py, and the curves of runs side by side."""
    with serve(vae) as address:
        page = open_page(browser, width=1420)
        save("vae_curves", show_cards(page, address, "^(elbo|kl|reconstruction)$").screenshot())
        page = open_page(browser, width=1180)
        save("vae_histograms", show_cards(page, address, "code_(mean|stddev)", "test").screenshot())
        cards = show_cards(page, address, "samples|reconstructions", "test").locator("metrics-card-grid")
        epochs = []
        for epoch in (0, 1, 15):
            move_to_epoch(cards, epoch)
            epochs.append(cards.screenshot())
        save("vae_images", *epochs, colors=128)
        projector = show_projector(open_page(browser, width=1300, height=760), address)
        box = projector.bounding_box()
        save("vae_projector", projector.page.screenshot(clip=box | {"width": box["width"] - 300}), colors=64)
    with serve(code_sizes) as address:
        page = open_page(browser, width=1420)
        save("code_sizes", show_cards(page, address, "^(elbo|kl|reconstruction)$", "test").screenshot())


def main() -> None:
    """Takes the notes' pictures of TensorBoard."""
    with open_browser() as browser, tempfile.TemporaryDirectory() as folder:
        runs = Path(folder)
        for script, flags in GRAPHS.items():
            train(script, runs / script, flags)
        for size in CODE_SIZES:
            train("vae", runs / "code_sizes" / f"vae_{size}", ["--code-size", str(size)])
        take_graphs(browser, runs)
        take_dashboards(browser, runs / "vae", runs / "code_sizes")
    print(f"Pictures are in {FIGURES}.")


if __name__ == "__main__":
    command_line.run(main)
