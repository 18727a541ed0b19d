"""The lecture Variational Inference in TensorFlow (Stanford CS 20, 2018) as code that runs, a script for each part."""

import os
import signal
import sys
from pathlib import Path

_stderr = os.dup(2)  # tf1.py holds back what is written to the other while TensorFlow loads


def _stop(*_) -> None:
    os.write(_stderr, b"Stopped before anything was written.\n")
    os._exit(130)


# While TensorFlow loads, Ctrl-C would end in dozens of lines. utils/command_line.py takes over once a script runs.
_main = getattr(sys.modules["__main__"], "__file__", None) or ""
_is_script = sys.argv[:1] == ["-m"] or Path(__file__).resolve().parent in Path(_main).resolve().parents
if _is_script and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, _stop)
