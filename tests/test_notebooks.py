"""The notebooks, run in fresh kernels: without a warning, in any folder, and true to what they cite."""

import re
import sys
from base64 import b64decode

import nbformat
import pytest

from lectures.source.refresh_notebooks import ANSWER, NOTEBOOKS, answering, execute

CITED = re.compile(r"`([^`=]+) = (-?[\d,]*\.?\d+)`")  # in the text: `name = number`
PRINTED = re.compile(r"^ *(.+?) = (-?[\d,]*\.?\d+)", re.MULTILINE)  # by a cell
FEWER_IMAGES = """
from lecture10_vae.utils import mnist

load_all = mnist.load
mnist.load = lambda part: load_all(part).first(2_000)
"""
by_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def outputs(notebook):
    return [output for cell in code_cells(notebook) for output in cell.outputs]


def text_of(notebook):
    return "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def assert_quiet(notebook):
    """Asserts that nothing is warned of."""
    assert {output.output_type for output in outputs(notebook)} <= {"stream", "execute_result", "display_data"}
    assert [output.text for output in outputs(notebook) if output.get("name") == "stderr"] == []
    printed = "".join(output.text for output in outputs(notebook) if output.output_type == "stream")
    assert "Warning" not in printed
    assert str(NOTEBOOKS[0].parents[1]) not in printed


def assert_sound(notebook):
    """Asserts that, besides, all that the text cites is printed, to one in its last digit."""
    assert_quiet(notebook)
    printed = "".join(output.text for output in outputs(notebook) if output.output_type == "stream")
    values = [(name, float(number.replace(",", ""))) for name, number in PRINTED.findall(printed)]
    for name, number in CITED.findall(text_of(notebook)):
        cited, last_digit = float(number.replace(",", "")), 10.0 ** -len(number.partition(".")[2])
        assert any(name == its and abs(value - cited) <= 1.001 * last_digit for its, value in values), (name, number)


@by_notebook
def test_notebook_is_committed_as_it_ran(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert path.stat().st_size < 1_000_000
    assert [cell.execution_count for cell in code_cells(notebook)] == list(range(1, len(code_cells(notebook)) + 1))
    assert any("image/png" in output.get("data", {}) for output in outputs(notebook))
    assert "widgets" not in notebook.metadata
    assert_quiet(notebook)


@by_notebook
def test_text_has_no_number_that_no_cell_prints_and_its_links_lead_somewhere(path):
    text = text_of(nbformat.read(path, as_version=4))
    assert len(CITED.findall(text)) > 0
    prose = re.sub(r"\$\$.*?\$\$|\$.*?\$|`.*?`|\]\(.*?\)", "", text, flags=re.DOTALL)
    assert re.findall(r"\d+\.\d+|\d+ ?%|\d+ nats|\d+ seconds", prose) == []
    for file, section in re.findall(r"\]\((?!http)([^#)]*)#?(.*?)\)", text):
        assert (path.parent / file).exists(), file
        if section:
            headings = re.findall(r"^#+ (.+)$", (path.parent / file).read_text(encoding="utf-8"), re.MULTILINE)
            assert section in [re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings]


@by_notebook
def test_answers_are_folded_and_cells_that_give_them_empty(path):
    notebook = nbformat.read(path, as_version=4)
    answers = [cell.source for cell in notebook.cells if ANSWER in cell.source]
    assert len(answers) > 0
    assert all(answer.count("<details>") == answer.count("\n</details>") == 1 for answer in answers)
    assert len(answering(notebook)) > 2
    assert [output for cell in answering(notebook) for output in cell.outputs] == []


@by_notebook
def test_notebook_runs_in_any_folder(path, tmp_path):
    notebook = nbformat.read(path, as_version=4)
    cells = code_cells(notebook)
    by_sliders = execute(notebook, tmp_path)
    assert_sound(notebook)
    assert list(tmp_path.iterdir()) == []
    assert len(by_sliders) == sum(cell.source.startswith("interact(") for cell in cells)
    for output in by_sliders:
        assert int.from_bytes(b64decode(output["data"]["image/png"])[16:20]) >= 600  # pixels wide


@pytest.mark.slow
@by_notebook
def test_notebook_runs_twice_in_one_kernel(path, tmp_path):
    """All cells and all of them again, on fewer training images."""
    cells = code_cells(nbformat.read(path, as_version=4))
    sources = [FEWER_IMAGES, *(cell.source for cell in cells), *(cell.source for cell in cells)]
    runs = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    execute(runs, tmp_path)
    first, again = runs.cells[1 : 1 + len(cells)], runs.cells[1 + len(cells) :]
    assert [len(cell.outputs) for cell in again] == [len(cell.outputs) for cell in first]
    assert [output for cell in again for output in cell.outputs if output.get("name") == "stderr"] == []


def test_kernel_is_the_environments_own_and_says_how_to_get_a_missing_package(tmp_path):
    first, *others = [code_cells(nbformat.read(path, as_version=4))[0].source for path in NOTEBOOKS]
    assert set(others) == {first}
    sources = ['import sys\nprint(sys.executable)\nsys.modules["lecture10_vae"] = None', first]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    notebook.cells[1].metadata = {"tags": ["raises-exception"]}
    execute(notebook, tmp_path)
    executable, error = outputs(notebook)
    assert executable.text.strip() == sys.executable
    (line,) = error.traceback
    in_both_languages = line.split("没有安装")
    assert len(in_both_languages) == 2
    assert all("make jupyter" in message and "-r requirements.txt" in message for message in in_both_languages)
