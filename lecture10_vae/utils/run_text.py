"""What TensorBoard says of a run: its flags, and the lines in which the script differs from the repository's."""

import subprocess
from pathlib import Path

from lecture10_vae.tf1 import tf


def describe(script: str, flags: dict) -> bytes:
    """A summary for the pages HParams and Text, by which runs can be told apart.

    Args:
        script: the file of the script.
        flags: by name.
    """
    from tensorboard.plugins.hparams.summary import session_start_pb

    change = diff(script)
    edited = [line[1:].strip() for line in change.splitlines() if line.startswith("+") and line[1:].strip()]
    table = "\n".join(["| flag | value |", "|---|---|", *(f"| {name} | {value} |" for name, value in flags.items())])
    text = [_text("flags", table)]
    if change:
        text.append(_text("edited", f"```diff\n{change}```"))
    in_table = session_start_pb(flags | {"edited": "; ".join(edited)[:80]})
    return tf.Summary(value=[*in_table.value, *text]).SerializeToString()


def diff(script: str) -> str:
    """The lines of a file that differ from those in git's newest commit; empty without git, or if none do."""
    path = Path(script).resolve()
    command = [
        "git",
        "-C",
        str(path.parent),
        "diff",
        "--no-color",
        "--no-ext-diff",
        "--unified=0",
        "HEAD",
        "--",
        str(path),
    ]
    try:
        changed = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", timeout=10).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return "".join(
        line for line in changed.splitlines(keepends=True)[4:] if not line.startswith("\\")
    )  # after its header


def _text(name: str, markdown: str) -> tf.Summary.Value:
    plugin = {"plugin_data": {"plugin_name": "text"}}
    return tf.Summary.Value(tag=name, tensor=tf.make_tensor_proto(markdown), metadata=plugin)
