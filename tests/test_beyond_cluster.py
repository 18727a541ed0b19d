"""Clusters of real processes on this machine: what they reach, and what the loss of each of them does."""

import ast
import itertools
import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psutil
import pytest

from lecture10_vae.beyond import cluster, iwae, local_cluster
from lecture10_vae.tf1 import tf
from lecture10_vae.utils import checkpoints, mnist
from lecture10_vae.utils.command_line import UserError

TIMEOUT = 300  # seconds until a process has certainly failed to end by itself
NUMBERS = ["--test-images", 100, "--importance-samples", 200]


@pytest.fixture(scope="module")
def data_dir(small_mnist, tmp_path_factory):
    """A folder with a small part of MNIST, which processes can read: 20 steps an epoch."""
    folder = tmp_path_factory.mktemp("data")
    for prefix, part in (("train", "train"), ("t10k", "test")):
        pixels, labels = small_mnist[part].pixels, small_mnist[part].labels.astype(np.uint8)
        for name, array in ((f"{prefix}-images-idx3-ubyte", pixels), (f"{prefix}-labels-idx1-ubyte", labels)):
            header = b"\0\0\x08" + bytes([array.ndim]) + np.array(array.shape, ">u4").tobytes()
            (folder / name).write_bytes(header + array.tobytes())
    return folder


@pytest.fixture
def start(start_script, data_dir, tmp_path, monkeypatch):
    """Starts a task of a cluster of its own: `start("worker", "--epochs", 3)`, as often as one likes."""
    addresses = local_cluster.addresses(workers=2)

    def start(job, *flags):
        monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": addresses, "task": {"type": job, "index": 0}}))
        flags = ("--data-dir", data_dir, "--logdir", "run", *NUMBERS, *flags)
        return start_script("beyond/iwae", *flags, cwd=tmp_path)

    return start


def wait_for_line(process, pattern):
    for line in process.stdout:
        if re.match(pattern, line):
            return line
    raise AssertionError(f"no line {pattern!r}; errors: {process.stderr.read()}")


def end(*processes):
    """What they printed on both streams, once they have ended by themselves, in success."""
    outputs = [process.communicate(timeout=TIMEOUT) for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes), outputs
    return outputs


def steps_of(worker_output):
    return int(re.search(r"made ([\d,]+) steps", worker_output)[1].replace(",", ""))


def epochs_of(logdir):
    return [entry["epoch"] for entry in json.loads((logdir / "history.json").read_text())]


@pytest.mark.slow
def test_a_cluster_reaches_the_bound_of_one_process_after_as_many_steps(start, start_script, data_dir, tmp_path):
    """Gradients that are late cost a few nats at first, and less with every step and a lower learning rate."""
    epochs = 300
    flags = ["--epochs", epochs, "--learning-rate", 1e-3]
    tasks = [start(job, *flags) for job in ("worker", "ps", "chief")]  # in whatever order
    (worker, _), *_ = end(*tasks)
    os.environ.pop("TF_CONFIG")
    alone = start_script("beyond/iwae", "--data-dir", data_dir, *flags, *NUMBERS, cwd=tmp_path)
    end(alone)
    together, single = (json.loads((tmp_path / logdir / "results.json").read_text()) for logdir in ("run", "runs/iwae"))
    assert together["test_bound_nats"] == pytest.approx(single["test_bound_nats"], abs=1.5)
    steps = checkpoints.read_newest(tmp_path / "run").weights["global_step"]
    assert 20 * epochs <= steps <= 20 * epochs + 1  # one may be under way when the other makes the last
    assert 0 < steps_of(worker) < steps
    assert epochs_of(tmp_path / "run") == [*range(epochs + 1)]
    untrained = [
        json.loads((tmp_path / logdir / "history.json").read_text())[0]["test"] for logdir in ("run", "runs/iwae")
    ]
    assert untrained[0] == pytest.approx(untrained[1])  # the workers wait until the chief has kept it


@pytest.mark.slow
def test_a_killed_worker_is_missed_and_comes_back(start, tmp_path):
    tasks = {job: start(job, "--epochs", 80) for job in ("ps", "chief", "worker")}
    wait_for_line(tasks["chief"], "    2 ")
    tasks["worker"].kill()
    wait_for_line(tasks["chief"], "    6 ")
    returned = start("worker", "--epochs", 80)
    *_, (worker, _) = end(tasks["ps"], tasks["chief"], returned)
    assert steps_of(worker) > 0
    assert epochs_of(tmp_path / "run") == [*range(81)]


@pytest.mark.slow
def test_a_killed_parameter_server_comes_back_to_the_checkpoint(start, tmp_path):
    tasks = {job: start(job, "--epochs", 8) for job in ("ps", "chief", "worker")}
    wait_for_line(tasks["chief"], "    2 ")
    tasks["ps"].kill()
    returned = start("ps")
    assert int(wait_for_line(tasks["chief"], "A parameter server was lost: going on").split()[-1].strip(".")) >= 2
    end(returned, tasks["chief"], tasks["worker"])
    assert epochs_of(tmp_path / "run") == [*range(9)]
    assert checkpoints.read_newest(tmp_path / "run").weights["global_step"] >= 160


@pytest.mark.slow
def test_a_killed_chief_goes_on_from_its_newest_epoch(start, tmp_path):
    tasks = {job: start(job, "--epochs", 8) for job in ("ps", "chief", "worker")}
    wait_for_line(tasks["chief"], "    2 ")
    tasks["chief"].kill()
    tasks["chief"].wait()
    kept = checkpoints.read_newest(tmp_path / "run").number
    chief, *_ = end(*(start("chief", "--epochs", 8), tasks["ps"], tasks["worker"]))
    assert f"going on after epoch {kept}." in chief[0]
    assert epochs_of(tmp_path / "run") == [*range(9)]


IMPATIENT = """
import sys
from lecture10_vae.beyond import cluster, iwae
from lecture10_vae.utils import command_line
cluster.PATIENCE = cluster.IDLE = 3
command_line.run(iwae.main)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("job", "says"), [("worker", "No parameter server at"), ("chief", "No parameter server at"), ("ps", "Neither")]
)
def test_who_is_alone_gives_up_in_one_line(job, says, data_dir, tmp_path):
    config = {"cluster": local_cluster.addresses(workers=2), "task": {"type": job, "index": 0}}
    environment = {**os.environ, "TF_CONFIG": json.dumps(config)}
    flags = ["--data-dir", data_dir, "--logdir", tmp_path / "run", *map(str, NUMBERS)]
    command = [sys.executable, "-c", IMPATIENT, *flags]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=TIMEOUT)
    assert done.returncode == 2
    (last,) = done.stderr.splitlines()
    assert last.startswith(says)


@pytest.mark.slow
def test_a_chief_whose_parameter_server_is_gone_for_good_gives_up_in_one_line(start, data_dir, tmp_path):
    server = start("ps")
    flags = ["--data-dir", data_dir, "--logdir", tmp_path / "run", "--epochs", "500", *map(str, NUMBERS)]
    environment = os.environ | {"TF_CONFIG": os.environ["TF_CONFIG"].replace('"type": "ps"', '"type": "chief"')}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    assert wait_for_line(server, "Parameter server 0")
    with subprocess.Popen([sys.executable, "-uc", IMPATIENT, *flags], env=environment, **pipes) as chief:
        wait_for_line(chief, "    1 ")
        server.kill()
        _, errors = chief.communicate(timeout=TIMEOUT)
    assert chief.returncode == 2
    assert errors.splitlines()[-1].startswith("No parameter server at")
    assert checkpoints.read_newest(tmp_path / "run").number >= 1


GOOD = {"chief": ["a:1"], "worker": ["b:1", "b:2"], "ps": ["c:1"]}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{", "not JSON"),
        ("[]", "must hold"),
        ({"cluster": GOOD}, "must hold"),
        ({"cluster": GOOD, "task": {"type": "worker", "index": "0"}}, "must hold"),
        (
            {"cluster": GOOD, "task": {"type": "evaluator", "index": 0}},
            "a job 'evaluator': there are chief, worker, ps",
        ),
        ({"cluster": GOOD | {"master": ["d:1"]}, "task": {"type": "ps", "index": 0}}, "a job 'master'"),
        ({"cluster": GOOD, "task": {"type": "worker", "index": 2}}, "worker 2, but the cluster has 2"),
        ({"cluster": GOOD, "task": {"type": "worker", "index": -1}}, "worker -1, but the cluster has 2"),
        ({"cluster": {"chief": ["a:1"], "worker": []}, "task": {"type": "chief", "index": 0}}, "names no ps"),
        ({"cluster": {"ps": ["a:1"]}, "task": {"type": "ps", "index": 0}}, "names no chief"),
        ({"cluster": GOOD | {"chief": ["a:1", "a:2"]}, "task": {"type": "ps", "index": 0}}, "a single one"),
        ({"cluster": GOOD | {"ps": "c:1"}, "task": {"type": "ps", "index": 0}}, "a list of addresses for ps"),
        ({"cluster": GOOD | {"ps": ["c"]}, "task": {"type": "ps", "index": 0}}, "the address 'c' for ps"),
        ({"cluster": GOOD | {"ps": ["c:70000"]}, "task": {"type": "ps", "index": 0}}, "the address 'c:70000'"),
        ({"cluster": GOOD | {"ps": [7]}, "task": {"type": "ps", "index": 0}}, "the address 7"),
        ({"cluster": GOOD | {"ps": ["a:1"]}, "task": {"type": "ps", "index": 0}}, "the address a:1 twice"),
    ],
)
def test_a_wrong_tf_config_is_one_line(content, says):
    with pytest.raises(UserError, match=re.escape(says)):
        cluster.read_config(content if isinstance(content, str) else json.dumps(content))


def test_a_right_tf_config_says_who_this_is():
    config = cluster.read_config(json.dumps({"cluster": GOOD, "task": {"type": "worker", "index": 1}, "rpc": "grpc"}))
    assert config.address == "b:2"
    assert config.trainers == ["a:1", "b:1", "b:2"]


@pytest.mark.parametrize("wrong", ["not JSON", "taken port"])
def test_a_wrong_tf_config_ends_the_script_with_exit_status_2(wrong, start_script, tmp_path, monkeypatch):
    with local_cluster.socket.create_server(("127.0.0.1", 0)) as taken:
        addresses = {"chief": ["127.0.0.1:1"], "ps": [f"127.0.0.1:{taken.getsockname()[1]}"]}
        config = json.dumps({"cluster": addresses, "task": {"type": "ps", "index": 0}})
        monkeypatch.setenv("TF_CONFIG", "{" if wrong == "not JSON" else config)
        _, errors = (process := start_script("beyond/iwae", cwd=tmp_path)).communicate(timeout=TIMEOUT)
    assert process.returncode == 2
    assert len(errors.splitlines()) == 1
    assert "not JSON" in errors if wrong == "not JSON" else "cannot listen on port" in errors
    assert list(tmp_path.iterdir()) == []


def test_without_tf_config_nothing_of_a_cluster_is_there(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    assert iwae.join_cluster() is None
    tree = ast.parse(Path(iwae.__file__).read_text(encoding="utf-8"))
    imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    assert "cluster" not in {alias.name for node in imports for alias in node.names}


def test_processes_share_the_images_of_a_pass_and_a_missing_one_hides_none(monkeypatch):
    monkeypatch.setattr(mnist, "binarize", lambda pixels, seed: pixels[:, 0, 0].tolist())
    pixels = np.arange(7, dtype=np.uint8)[:, None, None] * np.ones([28, 28], np.uint8)
    dataset = mnist.Dataset(pixels, np.zeros(7, np.int32))

    def seen(number, start=0, batches=2):
        """The images that process `number` of two gets in its first mini-batches of two."""
        with tf.Graph().as_default():
            model = SimpleNamespace(optimize=tf.no_op(), step=tf.train.get_or_create_global_step())
            steps = cluster.Steps(model, dataset, 2, None, [0, number, 2])
        return list(itertools.chain(*itertools.islice(steps._batches(start), batches)))

    assert sorted(seen(0) + seen(1)) == [*range(7)]
    assert sorted(seen(0, batches=4)) == sorted(seen(1, batches=4)) == [*range(7)]  # two passes of its own
    assert seen(0, start=1) != seen(0, start=2)  # who comes back draws another order


@pytest.mark.skipif(not hasattr(socket, "SO_BINDTODEVICE"), reason="Linux alone")
def test_a_server_that_listens_on_all_addresses_can_be_kept_to_the_loopback():
    with socket.create_server(("", 0)) as server:
        port = server.getsockname()[1]
        assert server.getsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, 16) == b""
        assert cluster.keep_to_loopback(port)
        assert server.getsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, 16) == b"lo\0"
        assert cluster.answers(f"127.0.0.1:{port}")


@pytest.mark.parametrize(
    ("ps", "on_loopback"),
    [("127.0.0.1:1", True), ("localhost:1", True), ("[::1]:1", True), ("10.0.0.1:1", False), ("ps-0:1", False)],
)
def test_a_cluster_is_on_the_loopback_if_all_of_its_addresses_are(ps, on_loopback):
    config = cluster.Config({"chief": ["127.0.0.1:2"], "ps": [ps]}, "chief", 0)
    assert config.is_on_loopback is on_loopback


def test_a_local_cluster_ends_by_itself(start_script, data_dir, tmp_path):
    launcher = start_script("beyond/local_cluster", "--data-dir", data_dir, "--epochs", 3, cwd=tmp_path)
    wait_for_line(launcher, "    0 ")
    processes = psutil.Process(launcher.pid).children(recursive=True)
    assert len(processes) == 3
    output, errors = launcher.communicate(timeout=TIMEOUT)
    assert (launcher.returncode, errors) == (0, "")
    assert "Worker 0 made" in output
    assert psutil.wait_procs(processes, timeout=5)[1] == []
    assert (tmp_path / "runs" / "cluster" / "results.json").exists()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no such signal there")
def test_ctrl_c_ends_a_local_cluster(start_script, data_dir, tmp_path):
    heed = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.default_int_handler), "process_group": 0}
    launcher = start_script("beyond/local_cluster", "--data-dir", data_dir, "--epochs", 500, cwd=tmp_path, **heed)
    wait_for_line(launcher, "    1 ")
    processes = psutil.Process(launcher.pid).children(recursive=True)
    os.killpg(launcher.pid, signal.SIGINT)  # as a terminal does
    _, errors = launcher.communicate(timeout=TIMEOUT)
    assert launcher.returncode == 130
    assert [line for line in errors.splitlines() if "firewall" not in line] == [
        "Stopped. The same command goes on from the last full epoch."
    ]
    assert psutil.wait_procs(processes, timeout=5)[1] == []
