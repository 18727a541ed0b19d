"""Where the lecture's texts are, and excerpts of scripts and tests for them, in Markdown."""

import ast
from pathlib import Path
from urllib.parse import quote

HERE = Path(__file__).resolve().parent
LECTURES, REPOSITORY = HERE.parents[0], HERE.parents[1]
TEMPLATES = HERE / "templates"


def code(path: str, *names: str, run: str = "") -> str:
    """Functions or classes of a script as they stand there, with links to it and to where they can be run."""
    return fenced(functions(path, *names), path, run)


def lines(path: str, first: str, last: str, run: str = "") -> str:
    """The lines of a script from the first that contains `first` to the next that contains `last`, with those links."""
    return fenced(between(path, first, last), path, run)


def functions(path: str, *names: str) -> str:
    """The source of functions or classes."""
    text = (REPOSITORY / path).read_text(encoding="utf-8")
    parts = {node.name: node for node in ast.parse(text).body if hasattr(node, "name")}
    lines = text.splitlines()
    return "\n\n\n".join("\n".join(lines[parts[name].lineno - 1 : parts[name].end_lineno]) for name in names)


def between(path: str, first: str, last: str) -> str:
    """The source from the first line that contains `first` to the next that contains `last`, without their indent."""
    text = (REPOSITORY / path).read_text(encoding="utf-8").splitlines()
    start = next(i for i, line in enumerate(text) if first in line)
    stop = next(i for i, line in enumerate(text) if i >= start and last in line)
    indent = min(len(line) - len(line.lstrip()) for line in text[start : stop + 1] if line)
    return "\n".join(line[indent:] for line in text[start : stop + 1])


def fenced(block: str, path: str, run: str) -> str:
    """A block of Python with the file it is from, and the part of the playground that runs it."""
    playground = f" · [run and edit](playground.html#slides-{run})" if run else ""
    return f"```python\n{block}\n```\n\n<sub>[{path}](../{quote(path)}){playground}</sub>"


def test(name: str) -> str:
    """A test of the slides' mistakes by name, with a link to the line where it begins."""
    path = "tests/test_slide_errata.py"
    tree = ast.parse((REPOSITORY / path).read_text(encoding="utf-8"))
    (line,) = (node.lineno for node in tree.body if getattr(node, "name", None) == name)
    return f"[`{name}`](../{path}#L{line})"
