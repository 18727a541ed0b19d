"""Every flag of every script with nonsense: a run begins, or there is one line and nothing is written."""

import contextlib
import importlib
import inspect
import io
import os
import shutil
import sys
import typing
from pathlib import Path
from unittest.mock import MagicMock

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lecture10_vae.tf1 import tf
from lecture10_vae.utils import command_line, mnist

SCRIPTS = {
    name: importlib.import_module(f"lecture10_vae.{name}")
    for name in (
        "vae", "classification", "regression", "distributions", "lower_bound", "variational_inference",
        "amortized_inference", "bayesian_network",
    )
}  # fmt: skip
NUMBERS = [
    "", " ", "0", "1", "2", "-1", "-0", "+3", "007", "1_000", "1e3", "0.5", "1,5", "1/2", "0x10", "1e-300", "1e300",
    "1e-3", "nan", "-nan", "inf", "-inf", "None", "True", "three", "三", "½", "∞", "10000001", "2147483647",
    "2147483648", "9" * 30, "9" * 5_000, "-" + "9" * 30, "1 2", "[1]", "$(id)", "*",
]  # fmt: skip
PATHS = [
    "", " ", ".", "..", "./", "a/../b", "a b", "[a-z]*", "中文 ü", "a'b\"c", "a\\b", "-", "%s{}", "~", "~/x",
    "~nobody here/x", "a file", "a file/below", "thesis", "thesis/notes.txt", "new/folders/deep", "x" * 300,
    "x/" * 3_000, "two\nlines", "tab\there", "\x1b[31mred", "\udcff", "runs.", "nul", "a link to itself", "a FIFO",
    "a closed folder",
]  # fmt: skip
TEXT = st.text(st.characters(exclude_characters="\0"), max_size=12)  # no argument can hold a 0
EXAMPLES = settings(
    max_examples=40,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


class BeganError(Exception):
    """The flags make sense, and the run has its folder."""


def begin(*_, **__):
    raise BeganError


def reduce(script, monkeypatch):
    """Leaves of a script what its flags go through: a graph of one variable, and a run that ends when it begins."""

    def build_graph(*_, **__):
        tf.get_variable("weight", [])
        return MagicMock()

    for name in ("build_graph", "load_vae"):
        if hasattr(script, name):
            monkeypatch.setattr(script, name, build_graph)
    for name in ("pictures", "each_batch"):
        if hasattr(script, name):
            monkeypatch.setattr(script, name, MagicMock())
    if hasattr(script, "variational_inference"):
        monkeypatch.setattr(script, "variational_inference", MagicMock())
        monkeypatch.setattr(script.gaps, "measure", begin)
    monkeypatch.setattr(tf, "global_variables_initializer", begin)


def kind(annotation):
    """The type of a flag, which may be None, too."""
    return (typing.get_args(annotation) or [annotation])[0]


def values(annotation):
    """Nonsense for a flag of that type, and some sense."""
    if kind(annotation) is Path:
        return (
            st.sampled_from(["here"])
            | st.sampled_from(PATHS)
            | TEXT.filter(lambda text: not text.startswith(("/", "~")))
        )
    if annotation is bool:
        return st.sampled_from(["", "yes", "True", "0"]) | TEXT
    sense = st.sampled_from(["1", "2", "20"])
    return sense | st.sampled_from(NUMBERS) | TEXT | st.integers().map(str) | st.floats().map(str)


@st.composite
def command_lines(draw, main):
    """One to three flags, rightly or wrongly written; now and then something that is no flag."""
    parameters = inspect.signature(main).parameters.values()
    words = []
    for _ in range(draw(st.integers(1, 3))):
        parameter = draw(st.sampled_from([*parameters]))
        flag, value = command_line.flag(parameter.name), draw(values(parameter.annotation))
        unknown = draw(TEXT.filter(lambda text: text not in ("h", "-help")))
        forms = 3 * [[flag, value], [f"{flag}={value}"]]  # so that they come more often
        if parameter.annotation is bool:
            forms = 3 * [[flag], [f"--no-{flag[2:]}"]] + [[f"{flag}={value}"]]
        forms += [[flag], [f"{flag[:-1]}={value}"], [value], [f"--{unknown}", value], [f"-{unknown}"], ["--", value]]
        words += draw(st.sampled_from(forms))
    helped = {"-h", "--help"} & set(words) or any(word.startswith("-h") for word in words)
    return ["--seed"] if helped else words


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    """A working folder, deep enough for "..", with tiny data in the place of MNIST."""
    folder = tmp_path / "a" / "b" / "working folder"
    pixels = np.arange(30 * 784, dtype=np.uint8).reshape(30, 28, 28)
    tiny = mnist.Dataset(pixels, np.arange(30, dtype=np.int32) % 10)
    load = mnist.load
    monkeypatch.setattr(
        mnist, "load", lambda part, data_dir: tiny if data_dir == mnist.DATA_DIR else load(part, data_dir)
    )
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    prepare(folder)
    return folder


def prepare(folder):
    """Makes the working folder anew, with what a path may run into."""
    shutil.rmtree(folder.parents[1], ignore_errors=True)
    (folder / "thesis").mkdir(parents=True)
    (folder / "a file").write_text("mine")
    (folder / "thesis" / "notes.txt").write_text("mine")
    if sys.platform != "win32":
        (folder / "a link to itself").symlink_to(folder / "a link to itself")
        os.mkfifo(folder / "a FIFO")
        (folder / "a closed folder").mkdir(mode=0)


def content(top):
    return {path: path.read_bytes() if path.is_file() else b"" for path in top.rglob("*")}


def call(main, words, monkeypatch):
    """What comes of a command line: "a run", or the one line that says why not."""
    monkeypatch.setattr(sys, "argv", ["script.py", *words])
    with contextlib.redirect_stderr(io.StringIO()) as errors, contextlib.redirect_stdout(io.StringIO()):
        try:
            command_line.run(main)
        except BeganError:
            return "a run"
        except SystemExit as stop:
            status = stop.code
    assert status == 2, words
    (line,) = errors.getvalue().splitlines()  # at whatever sign a terminal begins a line
    return line


def check(name, words, nowhere, monkeypatch):
    """Returns what comes of a script's command line, and asserts that nothing but a run leaves a trace."""
    top = nowhere.parents[1]
    monkeypatch.chdir(nowhere)
    before = content(top)
    line = call(SCRIPTS[name].main, words, monkeypatch)
    if line == "a run":
        prepare(nowhere)
    else:
        assert line, words
        assert content(top) == before, (words, line)
    return line


@pytest.mark.parametrize("name", SCRIPTS)
def test_nonsense_is_one_line_or_a_run_begins(name, nowhere, monkeypatch):
    main = SCRIPTS[name].main
    reduce(SCRIPTS[name], monkeypatch)
    lines = []

    @EXAMPLES
    @given(words=command_lines(main))
    @example(words=[])
    def examine(words):
        lines.append(check(name, words, nowhere, monkeypatch))

    examine()
    assert "a run" in lines
    assert len(set(lines)) > 10


FLAGS = {  # and a script that has it
    parameter: name for name, script in SCRIPTS.items() for parameter in inspect.signature(script.main).parameters
}


@pytest.mark.parametrize("argument", FLAGS)
def test_every_value_at_every_flag(argument, nowhere, monkeypatch):
    script = SCRIPTS[FLAGS[argument]]
    reduce(script, monkeypatch)
    annotation = inspect.signature(script.main).parameters[argument].annotation
    lines = [
        check(FLAGS[argument], [f"{command_line.flag(argument)}={value}"], nowhere, monkeypatch)
        for value in {Path: PATHS, bool: ["yes", ""]}.get(kind(annotation), NUMBERS)
    ]
    assert len(set(lines)) > 1


def test_vae_that_is_not_there_is_one_line(nowhere, monkeypatch):
    for value in ("nowhere", "a file", "thesis", "x" * 300):
        assert "python lecture10_vae/vae.py" in check(
            "amortized_inference", [f"--vae-run={value}"], nowhere, monkeypatch
        )
