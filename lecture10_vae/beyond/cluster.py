"""TensorFlow 1's own cluster: several processes, on one machine or on many, train the model of iwae.py together.

Parameter servers (ps) hold the variables. The chief and the workers each have a copy of the graph (between-graph
replication), read the variables, and send their gradients, without waiting for each other (asynchronously): Dean et al.
2012, "Large scale distributed deep networks". The environment variable TF_CONFIG says who is where:

    export TF_CONFIG='{"cluster": {"ps": ["a:2222"], "chief": ["b:2222"], "worker": ["c:2222"]},
                       "task": {"type": "worker", "index": 0}}'
    .venv/bin/python lecture10_vae/beyond/cluster.py --samples 5

The chief trains like a worker; it alone evaluates, and keeps the run. Kill any process and start it again: without a
worker the others go on at once; without a parameter server, or the chief, from the newest epoch when it is back. Chief
and workers end by themselves, parameter servers by Ctrl-C. local_cluster.py starts a cluster on this machine.

Not through tf.train.MonitoredTrainingSession: when a parameter server is back, it goes on from its own checkpoint
without telling the chief, whose epochs would be others than the weights'; and see iwae.py.
"""

import json
import os
import signal
import socket
import sys
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

from lecture10_vae.beyond import iwae
from lecture10_vae.tf1 import tf
from lecture10_vae.utils import command_line, mnist
from lecture10_vae.utils.command_line import UserError
from lecture10_vae.utils.run import Run

import psutil

EXAMPLE = '{"cluster": {"ps": ["a:2222"], "chief": ["b:2222"], "worker": []}, "task": {"type": "ps", "index": 0}}'
LOST = (tf.errors.UnavailableError, tf.errors.AbortedError)  # of a session.run whose parameter server is gone


class Task(NamedTuple):
    """What TF_CONFIG says: the addresses of each job's tasks, "host:port", and which of them this process is."""

    cluster: dict[str, list[str]]
    job: str
    index: int

    @property
    def device(self) -> str:
        return f"/job:{self.job}/task:{self.index}"


def read_config(text: str) -> Task:
    """What TF_CONFIG holds. Raises UserError where it is no cluster in which this process has a place."""
    try:
        content = json.loads(text)
        cluster, job, index = content["cluster"], content["task"]["type"], content["task"]["index"]
        addresses = [address for some in cluster.values() for address in some]
        ports = [int(address.rpartition(":")[2]) for address in addresses if address.rpartition(":")[0]]
        right = (
            set(cluster) <= {"chief", "worker", "ps"} and len(cluster["chief"]) == 1 and len(cluster["ps"]) > 0
            and len(set(addresses)) == len(ports) == len(addresses) and all(0 < port < 2**16 for port in ports)
            and 0 <= index < len(cluster[job])
        )  # fmt: skip
    except (ValueError, KeyError, TypeError, AttributeError):
        right = False
    if not right:
        raise UserError(
            f"TF_CONFIG is {text!r}: give one like {EXAMPLE}, with one chief, a ps or more, a host:port of its own "
            "for each, and a task of theirs."
        )
    return Task(cluster, job, index)


def start_server(task: Task) -> tf.train.Server:
    """Starts TensorFlow's server for this process. Raises UserError if the port is taken."""
    hosts = {address.rpartition(":")[0].strip("[]") for some in task.cluster.values() for address in some}
    port = int(task.cluster[task.job][task.index].rpartition(":")[2])
    os.environ["no_grpc_proxy"] = ",".join(hosts)  # noqa: SIM112 (its name; a web's proxy would leave all waiting)
    os.environ.setdefault("GRPC_FAIL_FAST", "true")  # or closing a session waits for a lost server to come back
    try:
        socket.create_server(("", port)).close()  # TensorFlow's own complaint is many lines
        server = tf.train.Server(tf.train.ClusterSpec(task.cluster), task.job, task.index)
    except (OSError, tf.errors.OpError) as error:
        why = getattr(error, "strerror", None) or error.message
        raise UserError(f"{task.job} {task.index} cannot listen on port {port} ({why}): free it.") from error
    if not (hosts <= {"localhost", "127.0.0.1", "::1"} and keep_to_loopback(port)):
        print(f"Port {port} is open: who reaches it controls this process. Let a firewall close it.", file=sys.stderr)
    return server


def keep_to_loopback(port: int) -> bool:
    """Lets this process hear on a port what comes over the loopback, and nothing else; False where only Linux could.

    TensorFlow's server listens on all addresses, and has no setting for it. Linux takes one for a socket that listens.
    """
    if not hasattr(socket, "SO_BINDTODEVICE"):
        return False
    for connection in psutil.Process().net_connections("tcp"):
        if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port:
            with socket.socket(fileno=os.dup(connection.fd)) as listener:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo\0")
    return True


def wait_for(address: str) -> None:
    """Returns when a process listens there. TensorFlow would wait without a word, and without heeding Ctrl-C."""
    host, _, port = address.rpartition(":")
    while True:
        try:
            return socket.create_connection((host.strip("[]"), int(port)), timeout=1).close()
        except OSError:
            time.sleep(0.2)


def build_graph(task: Task, build_model, seed: int) -> SimpleNamespace:
    """The model of a seed, its variables on the parameter servers in turns, all else here; and a count of all steps."""
    number = 0 if task.job == "chief" else task.index + 1  # of those who train
    cluster = tf.train.ClusterSpec(task.cluster)
    with tf.device(tf.train.replica_device_setter(worker_device=task.device, cluster=cluster)):
        model = build_model(
            seed=(seed + number) % 2**31
        )  # another seed is other noise; the initial weights are the chief's
        step = tf.train.get_or_create_global_step()
        with tf.control_dependencies([model.optimize]):
            optimize = tf.assign_add(step, 1)
        initialize = tf.global_variables_initializer()
    return SimpleNamespace(**vars(model) | locals())


def open_session(task: Task, server: tf.train.Server) -> tf.Session:
    """A session with the parameter servers; a worker's, when the variables have values."""
    for address in task.cluster["ps"]:
        wait_for(address)
    config = tf.ConfigProto(device_filters=["/job:ps", task.device])  # so that nobody waits for a worker
    if task.job == "chief":
        return tf.Session(server.target, config=config)
    manager = tf.train.SessionManager(ready_op=tf.report_uninitialized_variables(), recovery_wait_secs=1)
    return manager.wait_for_session(server.target, config)


def train(session: tf.Session, model: SimpleNamespace, data: mnist.Dataset, flags: dict, until: float) -> int:
    """Takes steps until all together have taken those of `until` epochs. Returns how many this process took.

    Each is a session.run of its own: XLA cannot compile a loop (each_batch) over variables of another process.
    """
    seed, per_epoch = flags["seed"], len(data) // flags["batch_size"]
    step, taken = session.run(model.step), 0
    while step < until * per_epoch:
        for batch in mnist.batches(data, flags["batch_size"], [seed, model.number, step]):
            rate = iwae.rate("cosine", flags["learning_rate"], step / per_epoch, flags["epochs"])
            images = mnist.binarize(batch.pixels, [seed, model.number, step])
            step = session.run(model.optimize, {model.images: images, model.learning_rate: rate})
            taken += 1
            if step >= until * per_epoch:
                break
    return taken


def take_part(task: Task, server: tf.train.Server, build_model, data: mnist.Dataset, shown: dict, flags: dict) -> None:
    """The chief's or a worker's part, from the chief's newest epoch on; `shown` are the images for the bounds."""
    with tf.Graph().as_default():
        model = build_graph(task, build_model, flags["seed"])
        if task.job == "worker":
            with open_session(task, server) as session:
                while session.run(model.step) == 0:  # the chief keeps the untrained model first
                    time.sleep(0.2)
                taken = train(session, model, data, flags, until=flags["epochs"])
            print(f"Worker {task.index} took {taken:,} steps.")
            return
        with tf.device(task.device):  # where the Saver writes
            run = Run(__file__, flags["logdir"], flags, resume=True)
        with open_session(task, server) as session:
            session.run(model.initialize)
            for epoch in run.epochs(session, flags["epochs"]):
                train(session, model, data, flags, until=epoch)
                bounds = {part: iwae.evaluate(session, model, images) for part, images in shown.items()}
                run.log(session, epoch, **bounds)
        run.finish(data=data.describe())


def main(
    samples: int = 1,
    epochs: int = 15,
    batch_size: int = 100,
    learning_rate: float = 1e-3,
    seed: int = 0,
    logdir: Path = Path("runs/cluster"),
    data_dir: Path = mnist.DATA_DIR,
) -> None:
    """Takes the part in a cluster that TF_CONFIG says; the chief's run goes on where it was stopped.

    Args:
        samples: codes for each image, k.
        epochs: passes over the 60,000 training images, by all together.
        batch_size: images in a mini-batch.
        learning_rate: of Adam, the highest; falls to 0 as a cosine.
        seed: of the initial weights, the order of the images, their binarization and the noise.
        logdir: the chief's run's folder.
        data_dir: the folder with MNIST's four files.
    """
    flags = dict(locals())
    task = read_config(os.environ.get("TF_CONFIG", ""))
    server = start_server(task)
    if task.job == "ps":
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # join() does not heed Python's
        server.join()
    data, test = mnist.load("train", data_dir), mnist.load("test", data_dir)
    parts = {"train": data.first(1_000), "test": test.first(1_000)}
    shown = {part: mnist.binarize(some.pixels, iwae.BINARIZATION) for part, some in parts.items()}
    build_model = partial(iwae.build_graph, samples, pixel_means=iwae.average_pixels(data))
    while True:
        try:
            return take_part(task, server, build_model, data, shown, flags)
        except LOST:
            print("A parameter server was lost: going on when it is back.", flush=True)


if __name__ == "__main__":
    command_line.run(main)
