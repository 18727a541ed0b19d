"""Files that are written whole or not at all, so that a kill or a full disk never leaves half of one."""

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO


@contextlib.contextmanager
def written_whole(path: Path) -> Iterator[BinaryIO]:
    """Opens a new file for bytes that takes its place, and that of an older one, when all is written.

    Raises OSError with the file's name where the system leaves it out.
    """
    unfinished = path.with_name(path.name + ".unfinished")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with unfinished.open("wb") as file:
            yield file
        os.replace(unfinished, path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise type(error)(error.errno, error.strerror, str(path)) from error
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def write_json(path: Path, content: object) -> None:
    """Writes content as JSON; numpy's numbers as numbers. Raises ValueError for numbers that JSON lacks, NaN, say."""
    text = json.dumps(content, indent=2, default=float, allow_nan=False)
    with written_whole(path) as file:
        file.write(text.encode() + b"\n")
