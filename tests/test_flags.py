"""Every flag of every script with nonsense: training begins, or there is one line and nothing is written."""

import contextlib
import importlib
import inspect
import io
import os
import shutil
import sys
from pathlib import Path

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
        "bayesian_network",
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
    max_examples=120,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


class ReachedTrainingError(Exception):
    """The flags make sense, and a run would begin."""


def reach_training(*_, **__):
    raise ReachedTrainingError


def values(annotation):
    """Nonsense for a flag of that type, and some sense."""
    if annotation is Path:
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
    """What comes of a command line: "training", or the one line that says why not."""
    monkeypatch.setattr(sys, "argv", ["script.py", *words])
    with contextlib.redirect_stderr(io.StringIO()) as errors, contextlib.redirect_stdout(io.StringIO()):
        try:
            command_line.run(main)
        except ReachedTrainingError:
            return "training"
        except SystemExit as stop:
            status = stop.code
    assert status == 2, words
    (line,) = errors.getvalue().splitlines()  # at whatever sign a terminal begins a line
    return line


def check(name, words, nowhere, monkeypatch):
    """Returns what comes of a script's command line, and asserts that nothing but training leaves a trace."""
    top = nowhere.parents[1]
    if name == "variational_inference":  # whose defaults ask for more images
        words = ["--train-images=20", "--test-images=10", *words]
    monkeypatch.chdir(nowhere)
    before = content(top)
    line = call(SCRIPTS[name].main, words, monkeypatch)
    if line == "training":
        prepare(nowhere)
    else:
        assert line, words
        assert content(top) == before, (words, line)
    return line


@pytest.mark.parametrize("name", SCRIPTS)
def test_nonsense_is_one_line_or_training_begins(name, nowhere, monkeypatch):
    main = SCRIPTS[name].main
    monkeypatch.setattr(SCRIPTS[name], "build_graph", reach_training)
    lines = []

    @EXAMPLES
    @given(words=command_lines(main))
    @example(words=[])
    def examine(words):
        lines.append(check(name, words, nowhere, monkeypatch))

    examine()
    assert "training" in lines
    assert len(set(lines)) > 20


FLAGS = {  # and a script that has it
    parameter: name for name, script in SCRIPTS.items() for parameter in inspect.signature(script.main).parameters
}


@pytest.mark.parametrize("argument", FLAGS)
def test_every_value_at_every_flag(argument, nowhere, monkeypatch):
    script = SCRIPTS[FLAGS[argument]]
    monkeypatch.setattr(script, "build_graph", reach_training)
    annotation = inspect.signature(script.main).parameters[argument].annotation
    for value in {Path: PATHS, bool: ["yes", ""]}.get(annotation, NUMBERS):
        check(FLAGS[argument], [f"{command_line.flag(argument)}={value}"], nowhere, monkeypatch)


SIZES = [
    (name, parameter.name)
    for name, script in SCRIPTS.items()
    for parameter in inspect.signature(script.main).parameters.values()
    if parameter.annotation in (int, float) and parameter.name in inspect.signature(script.build_graph).parameters
]


@pytest.mark.parametrize(("name", "argument"), SIZES, ids=[f"{name} {argument}" for name, argument in SIZES])
def test_the_largest_number_is_one_line_or_fits_the_machine(name, argument, nowhere, monkeypatch):
    monkeypatch.setattr(tf, "global_variables_initializer", reach_training)  # what a run begins with
    largest = command_line.LARGEST.get(argument, 10**7)
    line = check(name, [f"{command_line.flag(argument)}={largest}"], nowhere, monkeypatch)
    assert line == "training" or "GiB needed" in line
