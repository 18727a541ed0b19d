"""From a script's `main` to its command line: flags from its arguments, mistakes in one line."""

import argparse
import inspect
import re
import signal
import sys
import typing
from collections.abc import Callable
from pathlib import Path

# Of two there is a standard error, or a stddev, and half of them
LEAST = {"seed": 0} | dict.fromkeys(["test_images", "prior_images", "importance_samples", "chains", "seeds"], 2)
LARGEST = {"seed": 2**31 - 1, "draws": 1_000}  # a seed is an int32 of the graph


class UserError(Exception):
    """A mistake that the user can fix. The message is one line: what is wrong, where, and what to do.

    It names the flags of a command line; where there is none, in a notebook, it reads as the arguments that they are.
    """

    def __init__(self, message: str):
        super().__init__(_one_line(message))

    def __str__(self) -> str:
        message = re.sub(r"(?<!\S)--fresh\b", "fresh=True", super().__str__())
        return re.sub(r"(?<!\S)--[a-z][a-z-]+", lambda name: name[0][2:].replace("-", "_"), message)


def check_numbers(**values: float) -> None:
    """Raises UserError for the first of the named flags that is not finite, too small or absurdly large."""
    for name, value in values.items():
        least, largest = LEAST.get(name), LARGEST.get(name, 10**7)
        enough = value > 0 if least is None else value >= least
        if not (enough and value <= largest):
            span = f"above 0 and up to {largest:,}" if least is None else f"from {least} to {largest:,}"
            raise UserError(f"{flag(name)} {value} makes no sense: give a number {span}.")


def check_choice(choices: tuple[str, ...], **values: str) -> None:
    """Raises UserError for the first of the named flags that is none of the choices."""
    for name, value in values.items():
        if value not in choices:
            raise UserError(f"{flag(name)} {value}: give one of {', '.join(choices)}.")


def check_at_most(largest: int, **values: int) -> None:
    """Raises UserError for the first of the named flags that asks for more images than there are."""
    for name, value in values.items():
        if value > largest:
            raise UserError(f"{flag(name)} {value}: there are {largest:,} images, give that or fewer.")


def check_memory(needed: float, what: str) -> None:
    """Raises UserError if so many bytes are more than this machine has left."""
    import psutil

    available = psutil.virtual_memory().available
    if needed > available:
        raise UserError(f"{needed / 2**30:,.0f} GiB needed, {available / 2**30:.1f} GiB free, for {what}.")


def flag(name: str) -> str:
    """The flag of an argument."""
    return f"--{name.replace('_', '-')}"


def run(main: Callable[..., object]) -> None:
    """Calls `main` with the flags of the command line, which are its keyword arguments.

    What the user can fix ends in one line and exit status 2; Ctrl-C, after which the same command goes on, in 130.
    A `main` without epochs has none to keep: it begins anew.
    """
    has_epochs = "epochs" in inspect.signature(main).parameters
    kept = "; no epoch is lost" if has_epochs else ""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:  # as it is for a shell's jobs in the background
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        main(**vars(make_parser(main).parse_args()))
    except UserError as error:
        _exit(error.args[0], 2)
    except BrokenPipeError:  # whoever read the output has gone, as `head` does
        sys.stderr.close()
        sys.exit(141)
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        _exit(f"{error.strerror or error}{where}. Fix that and give the same command again{kept}.", 2)
    except KeyboardInterrupt:
        again = "The same command without --fresh" if "--fresh" in sys.argv else "The same command"
        _exit(f"Stopped. {again} goes on from the last full epoch." if has_epochs else "Stopped.", 130)
    except Exception as error:
        if type(error).__name__ not in ("MemoryError", "ResourceExhaustedError"):  # the latter is TensorFlow's
            raise
        less = "lower --batch-size or --hidden-size, or " if has_epochs else ""
        _exit(f"Out of memory: {less}close other programs{kept}.", 2)


def make_parser(main: Callable[..., object]) -> argparse.ArgumentParser:
    """The command line of a function whose arguments are typed, have defaults, and are told of in its docstring."""
    import docstring_parser

    docstring = docstring_parser.parse(main.__doc__)
    told = {parameter.arg_name: parameter.description for parameter in docstring.params}
    parser = _Parser(description=docstring.short_description, allow_abbrev=False)
    for name, parameter in inspect.signature(main).parameters.items():
        options = {"default": parameter.default, "help": f"{' '.join(told[name].split())} ({parameter.default})"}
        if parameter.annotation is bool:
            options["action"] = argparse.BooleanOptionalAction
        else:
            kind, *_ = typing.get_args(parameter.annotation) or [parameter.annotation]  # of Path | None the first
            options["type"] = _path if kind is Path else kind
        parser.add_argument(flag(name), **options)
    return parser


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:
        raise UserError(f"{message.removeprefix('argument ')}. See --help for the flags there are.")


def _path(text: str) -> Path:
    """The path, with ~ for the home folder; a ValueError is told as an invalid path."""
    text.encode()  # fails for names that are no UTF-8, which TensorFlow cannot take
    try:
        return Path(text).expanduser()
    except RuntimeError as error:  # ~nobody/runs
        raise ValueError(str(error)) from error


_path.__name__ = "path"


def _one_line(text: str) -> str:
    """The text with what a path's name may hold, line breaks and other signs that steer a terminal, written out."""
    return re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", lambda sign: ascii(sign[0])[1:-1], text)


def _exit(message: str, status: int) -> None:
    print(_one_line(message), file=sys.stderr)
    sys.exit(status)
