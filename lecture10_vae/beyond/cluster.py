"""TensorFlow 1's own cluster runtime: one model, trained by several processes on one machine or on many.

Parameter servers (ps) hold the variables. The chief and the workers each have a copy of the graph (between-graph
replication), read the variables, and send their gradients, without waiting for each other (asynchronously): Dean et al.
2012, "Large scale distributed deep networks". The environment variable TF_CONFIG says who is where:

    {"cluster": {"chief": ["a:2222"], "worker": ["b:2222"], "ps": ["c:2222"]}, "task": {"type": "worker", "index": 0}}

The chief trains like a worker. It alone evaluates, and keeps the run; the checkpoint of the run's newest epoch is what
all go on from where a parameter server, or the chief itself, was lost and has come back.
"""

import contextlib
import ipaddress
import itertools
import json
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import psutil
from tqdm import tqdm

from lecture10_vae.tf1 import tf
from lecture10_vae.utils import checkpoints, mnist
from lecture10_vae.utils.command_line import UserError
from lecture10_vae.utils.run import Run

JOBS = ("chief", "worker", "ps")
PATIENCE = 60  # seconds that a parameter server, or the chief, may be away before the others give up
IDLE = 600  # seconds that a parameter server waits while neither chief nor worker is there
GRACE = 5  # seconds that the chief leaves the workers to see the end
POLL = 0.2  # seconds


class Config(NamedTuple):
    """What TF_CONFIG says: the addresses of each job's tasks, "host:port", and which of them this process is."""

    cluster: dict[str, list[str]]
    job: str
    index: int

    @property
    def address(self) -> str:
        return self.cluster[self.job][self.index]

    @property
    def is_on_loopback(self) -> bool:
        """Whether all of the cluster is on this machine, and says so: localhost, or 127.0.0.1."""
        hosts = {address.rpartition(":")[0].strip("[]") for some in self.cluster.values() for address in some}
        with contextlib.suppress(ValueError):  # a name, and not an address
            return all(ipaddress.ip_address("127.0.0.1" if host == "localhost" else host).is_loopback for host in hosts)
        return False

    @property
    def trainers(self) -> list[str]:
        """The addresses of those who train, the chief first."""
        return [*self.cluster["chief"], *self.cluster.get("worker", [])]


def read_config(text: str) -> Config:
    """What TF_CONFIG holds. Raises UserError where it is no cluster in which this process has a place."""
    try:
        content = json.loads(text)
    except ValueError as error:
        raise UserError(f"TF_CONFIG is not JSON ({error}).") from error
    match content:
        case {"cluster": dict(cluster), "task": {"type": str(job), "index": int(index)}}:
            config = Config(cluster, job, index)
        case _:
            wanted = '{"cluster": {"chief": [...], "worker": [...], "ps": [...]}, "task": {"type": "ps", "index": 0}}'
            raise UserError(f"TF_CONFIG must hold {wanted}, with host:port for each task.")
    for name in (*cluster, job):
        if name not in JOBS:
            raise UserError(f"TF_CONFIG has a job {name!r}: there are {', '.join(JOBS)}.")
    for name in ("chief", "ps"):
        if not cluster.get(name):
            raise UserError(f"TF_CONFIG names no {name}: one is needed.")
    _check_addresses(cluster)
    tasks = len(cluster.get(job, []))
    if not 0 <= index < tasks:
        raise UserError(f"TF_CONFIG says that this is {job} {index}, but the cluster has {tasks} of them, from 0.")
    return config


def _check_addresses(cluster: dict) -> None:
    seen = set()
    for name, addresses in cluster.items():
        if not isinstance(addresses, list) or (name == "chief" and len(addresses) > 1):
            raise UserError(f"TF_CONFIG must have a list of addresses for {name}, and of the chief a single one.")
        for address in addresses:
            host, _, port = str(address).rpartition(":")
            if not (host and port.isdecimal() and 0 < int(port) < 2**16):
                raise UserError(f"TF_CONFIG has the address {address!r} for {name}: give host:port.")
            if address in seen:
                raise UserError(f"TF_CONFIG has the address {address} twice: each task needs its own.")
            seen.add(address)


def join() -> "Task":
    """Starts TensorFlow's server for this process's place in the cluster that TF_CONFIG describes.

    Raises UserError if TF_CONFIG is wrong, or the port is taken.
    """
    config = read_config(os.environ["TF_CONFIG"])
    port = int(config.address.rpartition(":")[2])
    try:
        # TensorFlow's own complaint is many lines. It has no choice of an address either: it listens on all.
        socket.create_server(("", port)).close()
        os.environ.setdefault("GRPC_FAIL_FAST", "true")  # or closing a session waits for a lost server to come back
        server = tf.train.Server(tf.train.ClusterSpec(config.cluster), config.job, config.index)
    except (OSError, tf.errors.OpError) as error:
        why = getattr(error, "strerror", None) or error.message
        raise UserError(f"{config.job} {config.index} cannot listen on port {port} ({why}): free it.") from error
    if not (config.is_on_loopback and keep_to_loopback(port)):
        warning = (
            f"Port {port} is open on all of this machine's addresses: let a firewall close it to all but the cluster"
        )
        print(f"{warning}. Whoever reaches it controls this process.", file=sys.stderr)
    return Task(config, server)


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


class Task:
    """This process's part: `serve` if it is a parameter server, otherwise `train`."""

    def __init__(self, config: Config, server: tf.train.Server):
        self.config, self.server = config, server
        self.is_chief, self.is_parameter_server = config.job == "chief", config.job == "ps"
        self.number = 0 if self.is_chief else config.index + 1  # among those who train
        # A session needs what these filters name, and nobody waits for a worker that isn't there, or ends first
        mine = f"/job:{config.job}/task:{config.index}"
        filters = [mine] if self.is_parameter_server else ["/job:ps", mine]
        self.session_config = tf.ConfigProto(device_filters=filters)

    def serve(self) -> None:
        """Holds the variables until the chief says that the training is done."""
        print(f"Parameter server {self.config.index}: ends when the chief does.")
        with tf.Graph().as_default(), tf.Session(self.server.target, config=self.session_config) as session:
            said_by_chief = _done_queue(self.config.index).size()
            last_seen = time.monotonic()
            while session.run(said_by_chief) == 0:
                if any(map(answers, self.config.trainers)):
                    last_seen = time.monotonic()
                elif time.monotonic() - last_seen > IDLE:
                    raise UserError(f"Neither chief nor worker has been there for {IDLE} s.")
                time.sleep(5 * POLL)
        time.sleep(1)  # the chief hears of it

    def train(
        self,
        build_graph: Callable[..., SimpleNamespace],
        dataset: mnist.Dataset,
        batch_size: int,
        epochs: int,
        rate: Callable[[float], float],
        seed: int,
        run: Run | None = None,
        keep: Callable[[SimpleNamespace, SimpleNamespace, int], None] | None = None,
    ) -> None:
        """Trains until all together have made as many steps as one process makes in so many epochs.

        Args:
            build_graph: makes the model, from its seed, with `images`, `learning_rate`, `optimize`, `step` and `bound`.
            dataset: all training images; a process takes one part of them after another.
            rate: the learning rate after so many epochs.
            run: the chief's, where it keeps the epochs.
            keep: of the chief, called with what runs the model, the model and the epoch: evaluates and saves.
        """
        with tf.Graph().as_default():
            with tf.device(self._device_setter()):
                # Another seed is other noise; the initial weights are the chief's
                model = build_graph(seed=(seed + self.number) % 2**31)
            steps = Steps(model, dataset, batch_size, rate, [seed, self.number, len(self.config.trainers)])
            with tf.train.MonitoredSession(_SessionCreator(self, run)) as session:
                if self.is_chief:
                    self._lead(session, steps, epochs, run, keep)
                else:
                    self._follow(session, steps, epochs)
        if self.is_chief:
            self._dismiss()

    def _lead(self, session: tf.train.MonitoredSession, steps: "Steps", epochs: int, run: Run, keep: Callable) -> None:
        print(f"A cluster of {len(self.config.trainers)} that train, and {len(self.config.cluster['ps'])} ps.")

        def train_and_keep(step_context, epoch):
            # Where a run in here fails because a server was lost, MonitoredSession does all of it again.
            once = SimpleNamespace(run=step_context.run_with_hooks, graph=session.graph)
            for images in steps.make(once, until=epoch):
                run.advance(images)
            if epoch == epochs:
                self._let_workers_leave()
            keep(once, steps.model, epoch)

        for epoch in run.epochs(session, epochs, steps.images, slide=[steps.model.bound]):
            session.run_step_fn(partial(train_and_keep, epoch=epoch))

    def _follow(self, session: tf.train.MonitoredSession, steps: "Steps", epochs: int) -> None:
        chief = self.config.trainers[0]

        def train(step_context):
            once, last_seen = SimpleNamespace(run=step_context.run_with_hooks), time.monotonic()
            while once.run(steps.model.step) == 0:  # the chief keeps the untrained model before it makes a step
                if answers(chief):
                    last_seen = time.monotonic()
                elif time.monotonic() - last_seen > PATIENCE:
                    raise UserError(f"The chief at {chief} has not been there for {PATIENCE} s.")
                time.sleep(POLL)
            for _ in steps.make(once, until=epochs):
                pass

        session.run_step_fn(train)
        print(f"Worker {self.config.index} made {steps.made:,} steps.")

    def _device_setter(self) -> Callable:
        """Variables go to the parameter servers in turns, everything else to this process."""
        mine = f"/job:{self.config.job}/task:{self.config.index}"
        return tf.train.replica_device_setter(worker_device=mine, cluster=tf.train.ClusterSpec(self.config.cluster))

    def wait_for_parameter_servers(self) -> None:
        """Returns when all answer. TensorFlow would wait for them forever, and without a word."""
        for address in self.config.cluster["ps"]:
            began = time.monotonic()
            while not answers(address):
                if time.monotonic() - began > PATIENCE:
                    raise UserError(
                        f"No parameter server at {address} for {PATIENCE} s: the training is over, or the server lost."
                    )
                time.sleep(POLL)

    def _let_workers_leave(self) -> None:
        """Gives the workers that are there a moment to see that all steps are made."""
        until = time.monotonic() + GRACE
        while time.monotonic() < until and any(map(answers, self.config.cluster.get("worker", []))):
            time.sleep(POLL)

    def _dismiss(self) -> None:
        """Tells the parameter servers that they can end."""
        with tf.Graph().as_default(), contextlib.suppress(tf.errors.OpError):  # one of them may have gone just now
            told = [_done_queue(index).enqueue(0) for index in range(len(self.config.cluster["ps"]))]
            with tf.Session(self.server.target, config=self.session_config) as session:
                session.run(told)


class Steps:
    """The gradient steps that a process makes in a cluster.

    Args:
        seeds: of the order, this process's number among those who train, and how many those are.
    """

    def __init__(
        self,
        model: SimpleNamespace,
        dataset: mnist.Dataset,
        batch_size: int,
        rate: Callable[[float], float],
        seeds: list[int],
    ):
        self.model, self.images = model, len(dataset.pixels)
        self._dataset, self._batch_size, self._rate, self._seeds = dataset, batch_size, rate, seeds
        self._per_epoch = -(-self.images // batch_size)
        self.made = 0  # by this process
        with tf.control_dependencies([model.optimize]):
            self._count = model.step.read_value()

    def make(self, session: SimpleNamespace, until: int) -> Iterator[int]:
        """Makes steps until all together have made those of `until` epochs; yields how many images all have used since.

        Each is a plain session.run of the slide's own `optimize`: XLA cannot compile a loop (tf1.each_batch) over
        variables that live in another process, and between two steps they are another's to change.
        """
        step = int(session.run(self.model.step))
        for pixels in self._batches(step):
            if step >= until * self._per_epoch:
                return
            feeds = {
                self.model.images: pixels / np.float32(255),
                self.model.learning_rate: self._rate(step / self._per_epoch),
            }
            before, (_, step) = step, session.run([self.model.optimize, self._count], feeds)
            self.made += 1
            yield (int(step) - before) * self._batch_size

    def _batches(self, start: int) -> Iterator[np.ndarray]:
        """Mini-batches without end, black or white, of one part of the images after another.

        Who starts or comes back at another step draws another order. In every pass each process takes another of the
        parts, so that what one that is missing would have seen is seen by the rest.
        """
        seed, number, processes = self._seeds
        for turn in itertools.count():
            part = (number + start // self._per_epoch + turn) % processes
            shard = self._dataset._replace(
                pixels=self._dataset.pixels[part::processes], labels=self._dataset.labels[part::processes]
            )
            drawn = [seed, number, start, turn]
            for i, batch in enumerate(mnist.batches(shard, self._batch_size, drawn)):
                yield mnist.binarize(batch.pixels, [*drawn, i])


class _SessionCreator(tf.train.SessionCreator):
    """Makes a session, and another where one was lost: the chief gives the variables values, workers wait for them."""

    def __init__(self, task: Task, run: Run | None):
        self._task, self._run = task, run
        self._start = [variable.initializer for variable in tf.global_variables()]
        # TensorFlow's own WorkerSessionCreator looks for the chief's variables every 30 seconds.
        uninitialized = tf.report_uninitialized_variables()
        uninitialized.mark_used()  # or TensorFlow complains where no session was ever made
        self._manager = tf.train.SessionManager(ready_op=uninitialized, recovery_wait_secs=POLL)

    def create_session(self) -> tf.Session:
        self._task.wait_for_parameter_servers()
        target, config = self._task.server.target, self._task.session_config
        if self._task.is_chief:
            return self._manager.prepare_session(target, init_fn=self._initialize, config=config)
        try:
            return self._manager.wait_for_session(target, config=config, max_wait_secs=PATIENCE)
        except tf.errors.DeadlineExceededError as error:
            chief = self._task.config.trainers[0]
            raise UserError(f"The chief at {chief} has given the variables no values in {PATIENCE} s.") from error

    def _initialize(self, session: tf.Session) -> None:
        """From the run's newest epoch, if there is one."""
        if newest := self._run.newest():
            checkpoints.load(session, newest)
            if self._run.history:  # otherwise the run says so itself
                tqdm.write(f"A parameter server was lost: going on after epoch {newest.number}.")
        else:
            session.run(self._start)


def answers(address: str) -> bool:
    """Whether a process listens there."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=1).close()
    except OSError:
        return False
    return True


def _done_queue(index: int) -> tf.QueueBase:
    """A parameter server's queue, in which the chief puts something when all is done."""
    with tf.device(f"/job:ps/task:{index}"):
        return tf.FIFOQueue(1, tf.int32, [[]], shared_name="done")
