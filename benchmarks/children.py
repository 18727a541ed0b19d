"""What is measured, each in a process of its own: contenders, the floor's ways, the scripts."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
OURS = ".venv"
CONTENDERS = {  # script: its environment, and what the table calls it
    "ours": (OURS, "ours: many mini-batches a session.run"),
    "plain": (OURS, "TensorFlow 1: one mini-batch a session.run"),
    "torch_eager": ("benchmarks/.venv-torch", "PyTorch, eager"),
    "torch_fused": ("benchmarks/.venv-torch", "PyTorch, eager, fused Adam"),
    "torch_compile": ("benchmarks/.venv-torch", "PyTorch, fused Adam, torch.compile"),
    "jax_step": ("benchmarks/.venv-jax", "JAX, jitted step"),
    "jax_scan": ("benchmarks/.venv-jax", "JAX, epoch as one lax.scan"),
    "keras_fit": ("benchmarks/.venv-keras", "Keras 3, fit, on JAX"),
}
FLOORS = {  # what the table calls a way: the way, its environment, and its variables
    "NumPy, OpenBLAS's own choice of kernel": ("numpy", OURS, {}),
    "NumPy, OpenBLAS's AVX2 kernel": ("numpy", OURS, {"OPENBLAS_CORETYPE": "Haswell"}),
    "PyTorch": ("torch", "benchmarks/.venv-torch", {}),
    "JAX, XLA": ("jax", "benchmarks/.venv-jax", {}),
    "TensorFlow, XLA": ("tensorflow", OURS, {}),
}
HOLD_BACK = ("OPENBLAS_", "OMP_", "MKL_")  # variables of the shell that keep a library from its best


class ChildFailed(SystemExit):
    """Ends the benchmarks with what the child had to say, where nobody expects it."""


def environment(**variables: str) -> dict[str, str]:
    """The shell's, without what would hold a library back."""
    return {name: value for name, value in os.environ.items() if not name.startswith(HOLD_BACK)} | variables


def _last_line(python: str, script: str, flags: list[str], variables: dict[str, str]) -> dict:
    command = [HERE.parent / python / "bin" / "python", HERE / script, *flags]
    done = subprocess.run(command, env=environment(**variables), capture_output=True, text=True)
    if done.returncode:
        raise ChildFailed(f"{script} {' '.join(flags)} failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def run_contender(name: str, **options: int) -> dict:
    """What a contender prints: seconds of each epoch, of the whole job, the test bound, peak memory in bytes."""
    flags = [f"--{option.replace('_', '-')}={value}" for option, value in options.items()]
    return _last_line(CONTENDERS[name][0], f"{name}.py", flags, {"BENCHMARK_STARTED": str(time.time())})


def run_floor(title: str, epochs: int) -> dict:
    """What a way to the floor prints: seconds of each epoch's products."""
    way, python, variables = FLOORS[title]
    return _last_line(python, "floor.py", [f"--way={way}", f"--epochs={epochs}"], variables)


def run_loops() -> dict:
    """What loops.py prints: for each script the seconds of an epoch by each of three loops."""
    return _last_line(OURS, "loops.py", [], {})


def run_script(name: str, folder: str) -> dict:
    """A student's own command in a folder: seconds to its first and its last line, and peak memory in bytes."""
    command = [HERE.parent / OURS / "bin/python", HERE.parent / f"lecture10_vae/{name}.py"]
    began = time.time()
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, env=environment(PYTHONUNBUFFERED="1"))
    process.stdout.readline()
    first_line = time.time() - began
    process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = status
    if status:
        raise ChildFailed(f"{name}.py failed")
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return {"first_line": first_line, "job": time.time() - began, "peak_memory": peak}
