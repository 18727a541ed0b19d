"""Clusters of real processes on this machine: that they end by themselves, and what the loss of each of them does."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest

from lecture10_vae.beyond import cluster, local_cluster
from lecture10_vae.utils.command_line import UserError
from lecture10_vae.utils.run import read_curves

TIMEOUT = 240  # seconds until a process has certainly failed to end by itself


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


def wait_for_line(process, pattern):
    for line in process.stdout:
        if re.match(pattern, line):
            return
    raise AssertionError(f"no line {pattern!r}; errors: {process.stderr.read()}")


def test_a_local_cluster_ends_by_itself_also_where_a_proxy_is_set(start_script, data_dir, tmp_path, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # nobody is there
    launcher = start_script("beyond/local_cluster", "--data-dir", data_dir, "--epochs", 3, cwd=tmp_path)
    wait_for_line(launcher, "    0 ")
    processes = psutil.Process(launcher.pid).children(recursive=True)
    assert len(processes) == 3
    _, errors = launcher.communicate(timeout=TIMEOUT)
    assert (launcher.returncode, errors) == (0, "")
    assert psutil.wait_procs(processes, timeout=5)[1] == []
    logdir = tmp_path / "runs" / "cluster"
    assert json.loads((logdir / "results.json").read_text())["epochs"] == 3
    (start, *_, end) = read_curves(logdir / "test")["bound"]
    assert (start[0], end[0]) == (0, 3)
    assert end[1] > start[1] + 10


@pytest.mark.skipif(sys.platform == "win32", reason="no such signals there")
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_local_cluster(number, status, start_script, data_dir, tmp_path):
    heed = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.default_int_handler)}
    launcher = start_script("beyond/local_cluster", "--data-dir", data_dir, "--epochs", 500, cwd=tmp_path, **heed)
    processes = []
    while len(processes) < 3:
        processes = psutil.Process(launcher.pid).children(recursive=True)
        time.sleep(0.05)
    launcher.send_signal(number)
    _, errors = launcher.communicate(timeout=TIMEOUT)
    assert launcher.returncode == status
    assert len(errors.splitlines()) <= 1
    assert psutil.wait_procs(processes, timeout=5)[1] == []


@pytest.mark.slow
def test_whoever_is_killed_is_missed_and_comes_back(data_dir, tmp_path):
    """A worker, a parameter server and the chief, one after the other, from one run's folder."""
    addresses, started = local_cluster.addresses(workers=2), []

    def start(job):
        environment = os.environ | {"TF_CONFIG": json.dumps({"cluster": addresses, "task": {"type": job, "index": 0}})}
        command = [sys.executable, "-u", str(local_cluster.SCRIPT), "--data-dir", str(data_dir), "--epochs", "40"]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        started.append(subprocess.Popen(command, cwd=tmp_path, env=environment, **pipes))
        return started[-1]

    def kill(process):
        process.kill()
        process.wait()

    try:
        server, worker, chief = start("ps"), start("worker"), start("chief")
        wait_for_line(chief, "    1 ")
        kill(worker)
        wait_for_line(chief, "    3 ")
        kill(server)
        wait_for_line(chief, "A parameter server was lost")
        server = start("ps")
        wait_for_line(chief, "runs/cluster: going on after epoch")
        wait_for_line(chief, "    [6-9] ")
        kill(chief)
        worker, chief = start("worker"), start("chief")
        (of_chief, _), (of_worker, _) = ends = [process.communicate(timeout=TIMEOUT) for process in (chief, worker)]
        assert [(process.returncode, errors) for process, (_, errors) in zip((chief, worker), ends, strict=True)] == [
            (0, "")
        ] * 2
        assert "going on after epoch" in of_chief
        assert 0 < int(re.search(r"took ([\d,]+) steps", of_worker)[1].replace(",", "")) < 40 * 20
    finally:
        for process in started:
            process.kill()
            process.communicate()
    epochs, bounds = zip(*read_curves(tmp_path / "runs" / "cluster" / "test")["bound"], strict=True)
    assert epochs == (*range(41),)
    assert bounds[-1] > -170


GOOD = {"chief": ["a:1"], "worker": ["b:1", "b:2"], "ps": ["c:1"]}


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        {"cluster": GOOD},
        {"cluster": GOOD, "task": {"type": "worker", "index": "0"}},
        {"cluster": GOOD, "task": {"type": "evaluator", "index": 0}},
        {"cluster": GOOD | {"master": ["d:1"]}, "task": {"type": "ps", "index": 0}},
        {"cluster": GOOD, "task": {"type": "worker", "index": 2}},
        {"cluster": GOOD, "task": {"type": "worker", "index": -1}},
        {"cluster": {"chief": ["a:1"], "worker": []}, "task": {"type": "chief", "index": 0}},
        {"cluster": {"ps": ["a:1"]}, "task": {"type": "ps", "index": 0}},
        {"cluster": GOOD | {"chief": ["a:1", "a:2"]}, "task": {"type": "ps", "index": 0}},
        {"cluster": GOOD | {"ps": "c:1"}, "task": {"type": "ps", "index": 0}},
        {"cluster": GOOD | {"ps": ["c"]}, "task": {"type": "ps", "index": 0}},
        {"cluster": GOOD | {"ps": [":2222"]}, "task": {"type": "ps", "index": 0}},
        {"cluster": GOOD | {"ps": ["c:70000"]}, "task": {"type": "ps", "index": 0}},
        {"cluster": GOOD | {"ps": [7]}, "task": {"type": "ps", "index": 0}},
        {"cluster": GOOD | {"ps": ["a:1"]}, "task": {"type": "ps", "index": 0}},
    ],
)
def test_a_wrong_tf_config_is_one_line(content):
    with pytest.raises(UserError, match="TF_CONFIG") as error:
        cluster.read_config(content if isinstance(content, str) else json.dumps(content))
    assert "\n" not in str(error.value)


def test_a_right_tf_config_says_who_this_is():
    task = cluster.read_config(json.dumps({"cluster": GOOD, "task": {"type": "worker", "index": 1}, "rpc": "grpc"}))
    assert task == (GOOD, "worker", 1)
    assert task.device == "/job:worker/task:1"


def test_a_taken_port_ends_the_script_with_exit_status_2(start_script, tmp_path, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        addresses = {"chief": ["127.0.0.1:1"], "ps": [f"127.0.0.1:{taken.getsockname()[1]}"]}
        monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": addresses, "task": {"type": "ps", "index": 0}}))
        _, errors = (process := start_script("beyond/cluster", cwd=tmp_path)).communicate(timeout=TIMEOUT)
    assert process.returncode == 2
    assert len(errors.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not hasattr(socket, "SO_BINDTODEVICE"), reason="Linux alone")
def test_a_server_that_listens_on_all_addresses_can_be_kept_to_the_loopback():
    with socket.create_server(("", 0)) as server:
        port = server.getsockname()[1]
        assert server.getsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, 16) == b""
        assert cluster.keep_to_loopback(port)
        assert server.getsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, 16) == b"lo\0"
        cluster.wait_for(f"127.0.0.1:{port}")
