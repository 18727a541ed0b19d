"""From a script's `main` to its command line: its keyword arguments are the flags; a mistake is told in one line."""

import argparse
import inspect
import os
import re
import sys
import typing
from collections.abc import Callable
from pathlib import Path

LEAST = {"seed": 0} | dict.fromkeys(["test_images", "prior_images", "importance_samples", "chains", "seeds"], 2)
LARGEST = {"seed": 2**31 - 1, "hidden_size": 10_000, "code_size": 1_000, "draws": 1_000}  # of the others 10 million


class UserError(Exception):
    """A mistake that the user can fix. The message is one line: what is wrong, where, and what to do."""


def flag(name: str) -> str:
    """The flag of an argument."""
    return f"--{name.replace('_', '-')}"


def run(main: Callable[..., object]) -> None:
    """Calls `main` with the flags of the command line.

    A mistake in them, and what else a user can fix, ends in one line and exit status 2; Ctrl-C ends in status 130. Any
    other error keeps its traceback.
    """
    try:
        main(**vars(make_parser(main).parse_args()))
    except UserError as error:
        _exit(str(error), 2)
    except KeyboardInterrupt:
        _exit("Stopped. The run's folder keeps the weights of its newest epoch.", 130)
    except Exception as error:
        if line := _explain(error):
            _exit(line, 2)
        raise


def _explain(error: Exception) -> str:
    """What to do about an error of TensorFlow's whose own text is long; empty if that is not known."""
    if type(error).__name__ == "ResourceExhaustedError":
        return "Out of memory: lower --batch-size or --hidden-size, or close other programs."
    if unsupported := re.search(r"on XLA_\w+: (\w+) \(", str(error)):
        return f"XLA has no {unsupported[1]} (of tf.print, say): add --plain, which trains without this compiler."
    return ""


def make_parser(main: Callable[..., object]) -> argparse.ArgumentParser:
    """The command line of a function whose arguments are typed, have defaults, and are told of in its docstring."""
    import docstring_parser

    docstring = docstring_parser.parse(main.__doc__)
    told = {parameter.arg_name: parameter.description for parameter in docstring.params}
    parser = _Parser(description=docstring.short_description, allow_abbrev=False)
    for name, parameter in inspect.signature(main).parameters.items():
        options = {"default": parameter.default, "help": f"{' '.join(told[name].split())} ({parameter.default})"}
        kind, *choices = typing.get_args(parameter.annotation) or [parameter.annotation]  # of Path | None the first
        if kind is bool:
            options["action"] = argparse.BooleanOptionalAction
        elif isinstance(kind, str):  # Literal["one", "another"]
            options["choices"] = [kind, *choices]
        elif name == "start_from":
            options["type"] = _run_folder
        else:
            options["type"] = _path if kind is Path else _number(kind, name) if kind in (int, float) else kind
        parser.add_argument(flag(name), **options)
    return parser


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:
        raise UserError(f"{message.removeprefix('argument ')}. See --help for the flags there are.")


def _number(kind: type, name: str) -> Callable[[str], float]:
    """Reads the flag's number, and refuses one that is not finite, too small or absurdly large."""

    def number(text: str) -> float:
        value, least, largest = kind(text), LEAST.get(name), LARGEST.get(name, 10**7)
        if not (value <= largest and (value > 0 if least is None else value >= least)):  # nor does nan come through
            span = f"above 0 and up to {largest:,}" if least is None else f"from {least} to {largest:,}"
            raise UserError(f"{flag(name)} {text}: give a number {span}.")
        return value

    number.__name__ = kind.__name__  # argparse names it: "invalid int value"
    return number


def _path(text: str) -> Path:
    """The path, with ~ for the home folder; a ValueError is told as an invalid path."""
    text.encode()  # fails for names that are no UTF-8, which TensorFlow cannot take
    try:
        return Path(text).expanduser()
    except RuntimeError as error:  # ~nobody/runs
        raise ValueError(str(error)) from error


_path.__name__ = "path"


def _run_folder(text: str) -> Path:
    """The folder of a run: checked before this one gets a folder."""
    folder = _path(text)
    if not os.path.isfile(folder / "checkpoint"):  # where tf.train.Saver keeps the names of the weights
        raise UserError(f"--start-from {text}: give the folder of a run that has weights.")
    return folder


_run_folder.__name__ = "path"


def _exit(message: str, status: int) -> None:
    """Ends with a line in which what steers a terminal, as a path's name may hold, is written out."""
    print(re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", lambda sign: ascii(sign[0])[1:-1], message), file=sys.stderr)
    sys.exit(status)
