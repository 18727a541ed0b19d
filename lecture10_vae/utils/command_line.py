"""From a script's `main` to its command line: flags from its arguments, mistakes in one line."""

import sys
from collections.abc import Callable

import tyro
from tyro import _errors as tyro_errors


class UserError(Exception):
    """A mistake that the user can mend. The message is one line: what is wrong, where, and what to do."""


def check_numbers(**values: float) -> None:
    """Raises UserError for the first of the named flags that is not finite and above zero (a seed may be zero)."""
    for name, value in values.items():
        if not 0 < value < float("inf") and not (name == "seed" and value == 0):
            least = "not below 0" if name == "seed" else "above 0"
            raise UserError(f"--{name.replace('_', '-')} {value} makes no sense: give a number {least}.")


def run(main: Callable[..., object]) -> None:
    """Calls `main` with the flags of the command line, which are its keyword arguments.

    What the user can mend ends in one line and exit status 2; Ctrl-C, after which the same command goes on, in 130.
    """
    try:
        with tyro_errors.on_parse_error(_refuse_flags):
            tyro.cli(main)
    except UserError as error:
        _exit(str(error), 2)
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        _exit(f"{error.strerror or error}{where}. Mend that and give the same command again; no epoch is lost.", 2)
    except KeyboardInterrupt:
        _exit("Stopped. The same command goes on from the last full epoch.", 130)


def _refuse_flags(event: tyro_errors.ParseErrorEvent) -> None:
    """Says in one line what tyro would say in a box of eight."""
    argument = getattr(event, "argument", None)
    flag = argument.lowered.name_or_flags[-1] if argument else ""
    match event:
        case tyro_errors.UnrecognizedArgs(tokens=tokens):
            what = f"unknown flag: {' '.join(tokens)}"
        case tyro_errors.InstantiationFailure(message=message):
            what = f"{flag}: {' '.join(message.split())}"
        case tyro_errors.InvalidChoice(value=value, choices=choices):
            what = f"{flag} {value}: choose from {', '.join(choices)}"
        case tyro_errors.BadValue():
            what = f"{flag} needs a value"
        case _:
            return
    raise UserError(f"{what}. See --help for the flags there are.")


def _exit(message: str, status: int) -> None:
    print(message, file=sys.stderr)
    sys.exit(status)
