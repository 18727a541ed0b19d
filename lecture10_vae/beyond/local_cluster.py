"""A cluster on this machine, to see one at work: a parameter server, a chief and a worker train iwae.py's model.

make cluster                                                          # two minutes on two cores
.venv/bin/python lecture10_vae/beyond/local_cluster.py --workers 3     # the chief is one of them
"""

import contextlib
import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

from lecture10_vae.utils import command_line, mnist
from lecture10_vae.utils.command_line import UserError

SCRIPT = Path(__file__).with_name("cluster.py")
SECONDS_TO_LEAVE = 30


def main(
    workers: int = 2,
    samples: int = 1,
    epochs: int = 15,
    seed: int = 0,
    logdir: Path = Path("runs/cluster"),
    data_dir: Path = mnist.DATA_DIR,
) -> None:
    """Trains in a cluster of processes on this machine, which all end by themselves, or with this one if it is ended.

    Args:
        workers: how many processes train, the chief included.
        samples: as of cluster.py, like all that follow.
        epochs: passes over the images, by all together.
        seed: of weights, order, binarization and noise.
        logdir: the run's folder.
        data_dir: the folder with MNIST's four files.
    """
    flags = {name: value for name, value in locals().items() if name != "workers"}
    flags = [text for name, value in flags.items() for text in (command_line.flag(name), str(value))]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the processes below end, too
    cluster, processes = addresses(workers), []
    try:
        for job, index in (("ps", 0), *(("worker", index) for index in range(workers - 1)), ("chief", 0)):
            config = {"cluster": cluster, "task": {"type": job, "index": index}}
            environment = os.environ | {"TF_CONFIG": json.dumps(config)}
            command = [sys.executable, SCRIPT, *flags]
            # In a session of its own: Ctrl-C is for this process alone
            options = {"start_new_session": True, "preexec_fn": end_with_parent if sys.platform == "linux" else None}
            processes.append(subprocess.Popen(command, env=environment, **options))
        if processes[-1].wait() != 0:
            raise UserError("The chief has failed, as it says above: the rest of the cluster ends, too.")
        for worker in processes[1:-1]:
            with contextlib.suppress(subprocess.TimeoutExpired):
                worker.wait(SECONDS_TO_LEAVE)
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait()


def end_with_parent() -> None:
    """Asks Linux to end this process when its parent has ended, were it by kill -9, which no parent can answer."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG of <sys/prctl.h>


def addresses(workers: int) -> dict[str, list[str]]:
    """A free port of the loopback for each task."""
    with contextlib.ExitStack() as taken:  # all at once, so that none is found twice
        sockets = [taken.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(workers + 1)]
        ps, chief, *rest = (f"127.0.0.1:{one.getsockname()[1]}" for one in sockets)
    return {"ps": [ps], "chief": [chief], "worker": rest}


if __name__ == "__main__":
    command_line.run(main)
