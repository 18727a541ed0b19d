"""Flags of every script with nonsense: a run begins, or there is one line and nothing is written."""

import importlib
import inspect
import os
import random
import shutil
import sys
import typing
from pathlib import Path
from unittest.mock import MagicMock

import numpy as np
import pytest

from lecture10_vae import vae
from lecture10_vae.tf1 import tf
from lecture10_vae.utils import command_line, mnist
from lecture10_vae.utils.run import Run
from tests.conftest import content

SCRIPTS = [
    "vae", "classification", "regression", "distributions", "lower_bound", "variational_inference",
    "amortized_inference", "bayesian_network",
]  # fmt: skip
NUMBERS = [
    "", " ", "0", "2", "-1", "-0", "+3", "007", "1_000", "1e3", "0.5", "1,5", "0x10", "1e-300", "1e300", "nan", "-inf",
    "None", "three", "三", "½", "∞", "10000001", "2147483648", "9" * 5_000, "-" + "9" * 30, "1 2", "$(id)", "*",
]  # fmt: skip
PATHS = [
    "", " ", ".", "..", "a/../b", "a b", "[a-z]*", "中文 ü", "a'b\"c", "a\\b", "-", "%s{}", "~", "~nobody here/x",
    "a file", "a file/below", "thesis", "thesis/notes.txt", "new/folders/deep", "x" * 300, "x/" * 3_000, "two\nlines",
    "\x1b[31mred", "\udcff", "a link to itself", "a FIFO", "a closed folder",
]  # fmt: skip


class BeganError(Exception):
    """The flags make sense, and the run has its folder."""


class BeginningRun(Run):
    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        raise BeganError


def build_graph(*_, **__):
    return MagicMock(weight=tf.get_variable("weight", []))


@pytest.fixture(params=SCRIPTS)
def main(request, monkeypatch):
    """Of a script what its flags go through, with tiny data and a graph of one variable, until the run begins."""
    script = importlib.import_module(f"lecture10_vae.{request.param}")
    tiny = mnist.Dataset(np.zeros((30, 28, 28), np.uint8), np.arange(30, dtype=np.int32) % 10)
    load = mnist.load
    given = lambda part, data_dir: tiny if data_dir == mnist.DATA_DIR else load(part, data_dir)  # noqa: E731
    monkeypatch.setattr(mnist, "load", given)
    for name in ("build_graph", "load_vae"):
        monkeypatch.setattr(script, name, build_graph, raising=False)
    for name in ("pictures", "variational_inference"):
        monkeypatch.setattr(script, name, MagicMock(), raising=False)
    monkeypatch.setattr(script, "Run", BeginningRun)
    return script.main


def prepare(top):
    """Makes a working folder anew, deep enough for "..", with what a path may run into."""
    shutil.rmtree(top, ignore_errors=True)
    folder = top / "b" / "working folder"
    (folder / "thesis").mkdir(parents=True)
    for name in ("a file", "thesis/notes.txt"):
        (folder / name).write_text("mine")
    if sys.platform != "win32":
        (folder / "a link to itself").symlink_to(folder / "a link to itself")
        os.mkfifo(folder / "a FIFO")
        (folder / "a closed folder").mkdir(mode=0)
    os.chdir(folder)


def test_nonsense_is_one_line_or_a_run_begins(main, tmp_path, monkeypatch, capsys):
    """A sample of all values at all flags, and of words that are no flags."""
    monkeypatch.chdir(tmp_path)  # and back at the end
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    words = ["--seed", "--see=1", "--bogus=1", "-s", "stray", "--no-seed"]
    for name, parameter in inspect.signature(main).parameters.items():
        kind = (typing.get_args(parameter.annotation) or [parameter.annotation])[0]
        words += [f"{command_line.flag(name)}={value}" for value in {Path: PATHS, bool: ["yes"]}.get(kind, NUMBERS)]
    began, messages = False, set()
    for word in random.Random(0).sample(words, 60):
        prepare(tmp_path / "a")
        before = content(tmp_path)
        monkeypatch.setattr(sys, "argv", ["script.py", word])
        with pytest.raises((BeganError, SystemExit)) as end:
            command_line.run(main)
        if end.type is SystemExit:
            (message,) = capsys.readouterr().err.splitlines()  # at whatever sign a terminal begins a line
            messages.add(message)
            assert (end.value.code, content(tmp_path)) == (2, before), word
        began |= end.type is BeganError
    assert began
    assert len(messages) > 10


@pytest.mark.parametrize(
    "word", ["--epoch=3", "--epochs=0", "--learning-rate=nan", "--batch-size=1e9", "--seed=-1", "--start-from=x"]
)
def test_flag_that_makes_no_sense_is_refused_by_its_name(word):
    with pytest.raises(command_line.UserError, match=rf"^.*{word.partition('=')[0]}.*$"):
        command_line.make_parser(vae.main).parse_args([word])
