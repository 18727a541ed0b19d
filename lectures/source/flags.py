"""All flags of all scripts in Chinese, for help.zh.md: names and defaults from each `main`, the rest by flags.toml.

What a script prints itself, --help too, stays English. No script is imported, as the texts are made without TensorFlow.
"""

import ast
import tomllib
from pathlib import Path
from typing import NamedTuple

import docstring_parser

from lecture10_vae.utils import command_line
from lectures.source.excerpts import HERE, REPOSITORY

CHINESE = tomllib.loads((HERE / "flags.toml").read_text(encoding="utf-8"))  # by what the docstrings say
PACKAGE = REPOSITORY / "lecture10_vae"
FOLDERS = (PACKAGE, PACKAGE / "beyond")


class Flag(NamedTuple):
    """A flag: its name, its default, and what it is for."""

    name: str
    default: str
    told: str


class Script(NamedTuple):
    """A script from the repository's folder on, what it does, and its flags."""

    path: str
    told: str
    flags: list[Flag]


def read() -> list[Script]:
    """All scripts, those of the slides first. Raises KeyError for what has no Chinese in flags.toml."""
    return [script for folder in FOLDERS for path in sorted(folder.glob("*.py")) if (script := read_script(path))]


def read_script(path: Path) -> Script | None:
    """A script and its flags; None of a file that takes none."""
    text = path.read_text(encoding="utf-8")
    if "command_line.run(main)" not in text:
        return None
    (main,) = (node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef) and node.name == "main")
    docstring = docstring_parser.parse(ast.get_docstring(main))
    told = {parameter.arg_name: " ".join(parameter.description.split()) for parameter in docstring.params}
    flags = [
        Flag(command_line.flag(argument.arg), show(default), CHINESE[told[argument.arg]])
        for argument, default in zip(main.args.args, main.args.defaults, strict=True)
    ]
    return Script(path.relative_to(REPOSITORY).as_posix(), CHINESE[docstring.short_description], flags)


def show(default: ast.expr) -> str:
    """A default as a reader would type it: of Path("runs/vae") the path."""
    if isinstance(default, ast.Call):
        return f"`{ast.literal_eval(default.args[0])}`"
    if isinstance(default, ast.Attribute):  # mnist.DATA_DIR
        return "`data/mnist`"
    value = ast.literal_eval(default)
    if value is None or value is False:
        return {None: "无", False: "否"}[value]
    return f"`{value}`"
