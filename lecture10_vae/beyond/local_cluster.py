"""A cluster on this machine, to see one at work: a parameter server, a chief and a worker train iwae.py's model.

make cluster                                                 # two minutes on two cores
python lecture10_vae/beyond/local_cluster.py --workers 3     # the chief is one of them
"""

import contextlib
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

from lecture10_vae.utils import command_line, mnist
from lecture10_vae.utils.command_line import UserError

SCRIPT = Path(__file__).with_name("iwae.py")
SECONDS_TO_LEAVE = 30


def main(
    workers: int = 2,
    samples: int = 1,
    epochs: int = 15,
    test_images: int = 500,
    importance_samples: int = 1_000,
    seed: int = 0,
    logdir: Path = Path("runs/cluster"),
    data_dir: Path = mnist.DATA_DIR,
    fresh: bool = False,
) -> None:
    """Trains in a cluster of processes on this machine, which all end by themselves; Ctrl-C ends them, too.

    Args:
        workers: how many processes train, the chief included.
        samples: as of iwae.py, like all that follow.
        epochs: passes over the images, by all together.
        test_images: how many ln P(x) is measured on.
        importance_samples: codes of each image for ln P(x).
        seed: of weights, order, binarization and noise.
        logdir: the run's folder.
        data_dir: the folder with MNIST's four files.
        fresh: begin anew, replacing the run in the folder.
    """
    command_line.check_numbers(workers=workers, samples=samples, epochs=epochs, seed=seed)
    flags = {name: value for name, value in locals().items() if name not in ("workers", "fresh")}
    flags = [text for name, value in flags.items() for text in (command_line.flag(name), str(value))]
    with contextlib.ExitStack() as all_of_them:
        cluster = addresses(workers)
        tasks = [("ps", 0), *(("worker", index) for index in range(workers - 1))]
        others = [all_of_them.enter_context(task(cluster, *one, flags)) for one in tasks]
        chief = all_of_them.enter_context(task(cluster, "chief", 0, [*flags, *["--fresh"] * fresh]))
        try:
            status = chief.wait()
        except KeyboardInterrupt:  # which the terminal sends the chief, too
            sys.exit(chief.wait())
        if status != 0:
            raise UserError("The chief has failed, as it says above: the rest of the cluster ends, too.")
        for process in others:
            process.wait(SECONDS_TO_LEAVE)


def addresses(workers: int) -> dict[str, list[str]]:
    """A free port of the loopback for each task."""
    with contextlib.ExitStack() as taken:  # all at once, so that none is found twice
        sockets = [taken.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(workers + 1)]
        ps, chief, *rest = (f"127.0.0.1:{one.getsockname()[1]}" for one in sockets)
    return {"ps": [ps], "chief": [chief], "worker": rest}


@contextlib.contextmanager
def task(cluster: dict[str, list[str]], job: str, index: int, flags: list[str]):
    """A process of the cluster. It is gone at the latest when the block is left."""
    config = {"cluster": cluster, "task": {"type": job, "index": index}}
    environment = os.environ | {"TF_CONFIG": json.dumps(config)}
    apart = 0 if job != "chief" and os.name == "posix" else None  # the terminal's Ctrl-C is for the chief alone
    process = subprocess.Popen([sys.executable, SCRIPT, *flags], env=environment, process_group=apart)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    command_line.run(main)
