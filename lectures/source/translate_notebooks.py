"""Makes the Chinese notebooks: the English ones' code and outputs, with the Chinese text of notebooks_zh/.

    make notebooks                                   # once the English ones have run
    python -m lectures.source.translate_notebooks    # alone, a second: what the code shows is taken as it is

A source has a block for each text cell of the English notebook, in its order: the line <!-- cell ID -->, with the
English cell's id, and below it the text that stands in its place.
"""

import copy
import re
from pathlib import Path

import nbformat

SOURCES = Path(__file__).resolve().parent / "notebooks_zh"
NOTEBOOKS = SOURCES.parents[2] / "notebooks"
ENGLISH, CHINESE = sorted(NOTEBOOKS.glob("*.ipynb")), NOTEBOOKS / "zh"
BEGIN = re.compile(r"^<!-- cell (\S+) -->$", re.MULTILINE)


def read_blocks(source: str) -> list[tuple[str, str]]:
    """The blocks of a source: each the id of a cell, and its text."""
    _, *parts = BEGIN.split(source)
    return [(name, text.strip()) for name, text in zip(parts[::2], parts[1::2], strict=True)]


def translate(notebook: nbformat.NotebookNode, blocks: list[tuple[str, str]]) -> nbformat.NotebookNode:
    """The notebook with these texts in the place of its own.

    Raises:
        ValueError: a text cell has no block, or a block no text cell, or their order differs.
    """
    translated = copy.deepcopy(notebook)
    cells = [cell for cell in translated.cells if cell.cell_type == "markdown"]
    if (ours := [name for name, _ in blocks]) != (theirs := [cell.id for cell in cells]):
        raise ValueError(f"The blocks are for the cells {ours}, where the text cells are {theirs}.")
    for cell, (_, text) in zip(cells, blocks, strict=True):
        cell.source = text
    return translated


def make(name: str) -> nbformat.NotebookNode:
    """The Chinese notebook of a name, as "4_vae", which says in its first cell, unseen, what it is made from."""
    blocks = read_blocks((SOURCES / f"{name}.md").read_text(encoding="utf-8"))
    notebook = translate(nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4), blocks)
    made_from = f"notebooks/{name}.ipynb (code) and lectures/source/notebooks_zh/{name}.md (text)"
    first = notebook.cells[0]
    first.source = f"<!-- Made by make notebooks from {made_from}: edit those. -->\n\n{first.source}"
    return notebook


def main() -> None:
    """Makes all Chinese notebooks."""
    for path in ENGLISH:
        nbformat.write(make(path.stem), CHINESE / path.name)
        print(f"zh/{path.name}")


if __name__ == "__main__":
    main()
