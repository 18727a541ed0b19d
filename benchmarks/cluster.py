"""How fast a cluster on this machine trains, and what it sends: writes cluster.json and cluster.md here, in minutes.

    python benchmarks/cluster.py

Every process of a cluster runs this file, too. The kernel counts the bytes on the loopback: nothing else should use it.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psutil

from lecture10_vae import vae
from lecture10_vae.beyond import cluster, iwae, local_cluster
from lecture10_vae.each_batch import each_batch
from lecture10_vae.tf1 import tf
from lecture10_vae.utils import mnist

HERE = Path(__file__).resolve().parent
MODELS = {"vae": None, "iwae_1": 1, "iwae_5": 5, "iwae_50": 50}  # the slide's VAE; IWAE with so many codes
TITLES = {"vae": "the slide's VAE", "iwae_1": "IWAE, k = 1", "iwae_5": "IWAE, k = 5", "iwae_50": "IWAE, k = 50"}
BATCH_SIZE, STEPS = 100, 50  # steps between two looks at the clock
SECONDS = 8  # of every measurement
SERVER = "BENCHMARK_PARAMETER_SERVER"  # its process, for the chief to look at
WAYS = {
    "compiled": "one process, many steps a session.run",
    "plain": "one process, a step a session.run",
    "1": "a parameter server and one that trains",
    "2": "a parameter server and two that train",
}
LINKS = {"1 Gbit/s": 1e9 / 8, "10 Gbit/s": 1e10 / 8, "100 Gbit/s": 1e11 / 8}  # bytes a second


def build_graph(name: str, seed: int = 0) -> SimpleNamespace:
    """A model with what iwae.py's has for training: the images, the rate as a tensor, and the step."""
    if MODELS[name]:
        return iwae.build_graph(MODELS[name], seed=seed)
    return SimpleNamespace(**vars(vae.build_graph(seed=seed)) | {"learning_rate": tf.constant(1e-3)})


def dataset() -> mnist.Dataset:
    """Images of STEPS mini-batches."""
    return mnist.load("train").first(BATCH_SIZE * STEPS)


class Clock:
    """Notes the time, the steps and the bytes so far after every STEPS steps, for SECONDS."""

    def __init__(self):
        self.marks = []

    def epochs(self):
        """Yields epochs of STEPS steps until the time is up."""
        while len(self.marks) < 3 or self.marks[-1][0] - self.marks[1][0] < SECONDS:
            yield len(self.marks)

    def mark(self, steps: int) -> None:
        self.marks.append((time.perf_counter(), steps, loopback_bytes(), server_seconds()))

    def summarize(self) -> dict[str, float]:
        """From the second mark on: the first steps are slow."""
        seconds, steps, sent, of_server = np.subtract(self.marks[-1], self.marks[1])
        return {
            "steps_per_second": steps / seconds,
            "bytes_per_step": sent / steps,
            "server_seconds_per_step": of_server / steps,
        }


def loopback_bytes() -> int:
    """What the loopback has carried since the machine began."""
    lines = Path("/proc/net/dev").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.split()[0] == "lo:")


def server_seconds() -> float:
    """What the parameter server has taken of the processors."""
    if SERVER not in os.environ:
        return 0.0
    times = psutil.Process(int(os.environ[SERVER])).cpu_times()
    return times.user + times.system


def take_part(name: str) -> None:
    """What a process of a cluster does; the chief prints its measurements as JSON, and is waited for."""
    task = cluster.read_config(os.environ["TF_CONFIG"])
    server = cluster.start_server(task)
    if task.job == "ps":
        server.join()
    model, data, clock = cluster.build_graph(task, lambda seed: build_graph(name, seed), seed=0), dataset(), Clock()
    flags = {"seed": 0, "batch_size": BATCH_SIZE, "learning_rate": 1e-3, "epochs": 10**6}
    with cluster.open_session(task, server) as session:
        if task.job == "worker":
            cluster.train(session, model, data, flags, until=10**6)
        session.run(model.initialize)
        for epoch in clock.epochs():
            cluster.train(session, model, data, flags, until=epoch)
            clock.mark(int(session.run(model.step)))
    print(json.dumps(clock.summarize()), flush=True)


def alone(name: str, way: str) -> dict[str, float]:
    """The same measurement of one process, without servers."""
    data, clock = dataset(), Clock()
    together = STEPS if way == "compiled" else 1
    with tf.Graph().as_default(), tf.Session() as session:
        model = build_graph(name)
        optimize = each_batch(model.optimize, BATCH_SIZE, [model.images]) if way == "compiled" else model.optimize
        session.run(tf.global_variables_initializer())
        for epoch in clock.epochs():
            for i, batch in enumerate(mnist.batches(data, BATCH_SIZE, epoch, together)):
                session.run(optimize, {model.images: mnist.binarize(batch.pixels, [epoch, i])})
            clock.mark(STEPS * (epoch + 1))
        parameters = sum(variable.shape.num_elements() for variable in tf.trainable_variables())
    return {"steps_per_second": clock.summarize()["steps_per_second"], "parameters": parameters}


def together(name: str, workers: int) -> dict[str, float]:
    """The same of a cluster, with the bytes of a step, and the processor's seconds that the server takes for it."""
    command = [sys.executable, __file__, "--take-part", name]
    with ExitStack() as stack:
        addresses = local_cluster.addresses(workers)

        def start(job: str, index: int, **variables: str) -> subprocess.Popen:
            config = {"cluster": addresses, "task": {"type": job, "index": index}}
            environment = os.environ | {"TF_CONFIG": json.dumps(config)} | variables
            process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
            stack.callback(process.wait)
            stack.callback(process.kill)
            return process

        server = start("ps", 0)
        for index in range(workers - 1):
            start("worker", index)
        chief = start("chief", 0, **{SERVER: str(server.pid)})
        return json.loads(chief.stdout.read().splitlines()[-1])


def measure(name: str) -> dict:
    """A model's part of cluster.json."""
    row = {way: alone(name, way) for way in ("compiled", "plain")}
    row |= {str(workers): together(name, workers) for workers in (1, 2)}
    print(f"{name}: {row}", flush=True)
    return row


def fed(row: dict, link: float) -> float:
    """How many that train, each as fast as one process alone here, fill a link of so many bytes a second.

    The link carries as much in one direction as in the other, half of a step's bytes each.
    """
    return link / (row["1"]["bytes_per_step"] / 2 * row["plain"]["steps_per_second"])


def served(row: dict, cores: int) -> float:
    """How many that train fill the processor of a parameter server like this machine."""
    return cores / (row["1"]["server_seconds_per_step"] * row["plain"]["steps_per_second"])


def markdown(results: dict) -> str:
    """The page."""
    rows, cores = results["rows"], results["cores"]
    head = "| | " + " | ".join(TITLES[name] for name in rows) + " |\n|---|" + "---|" * len(rows) + "\n"

    def table(lines: dict[str, callable]) -> str:
        cells = [
            "| " + " | ".join([title, *(write(row) for row in rows.values())]) + " |" for title, write in lines.items()
        ]
        return head + "\n".join(cells) + "\n"

    speeds = {title: lambda row, way=way: f"{row[way]['steps_per_second']:,.0f}" for way, title in WAYS.items()}
    costs = {
        "parameters": lambda row: f"{row['compiled']['parameters']:,}",
        "MB a step, variables and gradients by arithmetic": lambda row: f"{8e-6 * row['compiled']['parameters']:.2f}",
        "MB a step, as the kernel counted": lambda row: f"{1e-6 * row['1']['bytes_per_step']:.2f}",
        "ms of computation a step (one process)": lambda row: f"{1e3 / row['plain']['steps_per_second']:.1f}",
        "ms of the server's processor a step": lambda row: f"{1e3 * row['1']['server_seconds_per_step']:.1f}",
    }
    paper = {title: lambda row, link=link: f"{fed(row, link):,.1f}" for title, link in LINKS.items()}
    paper[f"the server's processor, {cores} cores"] = lambda row: f"{served(row, cores):,.1f}"
    return PAGE.format(cores=cores, speeds=table(speeds), costs=table(costs), paper=table(paper))


PAGE = """# A cluster of processes, measured

Made by `python benchmarks/cluster.py` on {cores} cores, mini-batches of 100 images. All processes of a cluster share
this machine, and the network is its loopback: a cluster has no more cores here than one process, which uses them all.
What can be seen is what the runtime costs, and what it sends.

Steps a second, of all that train together:

{speeds}
A step sends all variables to the one that makes it, and as many gradients back:

{costs}
**On paper**: how many that train, each as fast as one process here, fill the link of a single parameter server, which
carries variables out and gradients in at the same time, or its processor. More of them wait for each other, and their
gradients grow older: with n at work, a gradient is about n - 1 steps late.

{paper}
More parameter servers divide both among them, variable by variable. For thousands of machines one takes something else:
all-reduce sums the gradients, and a machine sends about twice the model's size a step, however many there are, to its
neighbour in a ring (Horovod: Sergeev, Del Balso 2018, arXiv:1802.05799). All are then at the same step, with larger
batches and a learning rate to match (Goyal et al. 2017, arXiv:1706.02677):
`tf.distribute.MultiWorkerMirroredStrategy`, PyTorch's `DistributedDataParallel`, or JAX on pods of TPUs.
"""


def main() -> None:
    """Measures, or, in a process of a cluster, takes part."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS), help="which to measure (all)")
    parser.add_argument("--take-part", choices=MODELS, help="(for the processes of a cluster)")
    arguments = parser.parse_args()
    if arguments.take_part:
        take_part(arguments.take_part)
        return
    path = HERE / "cluster.json"
    rows = json.loads(path.read_text(encoding="utf-8"))["rows"] if path.exists() else {}
    for name in arguments.models:
        rows[name] = measure(name)
        results = {"cores": psutil.cpu_count(), "rows": {name: rows[name] for name in MODELS if name in rows}}
        path.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
        path.with_suffix(".md").write_text(markdown(results), encoding="utf-8")


if __name__ == "__main__":
    main()
