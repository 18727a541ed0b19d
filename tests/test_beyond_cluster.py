"""Clusters of real processes on this machine: that they end by themselves, and what the loss of each of them does."""

import json
import re
import socket

import numpy as np
import psutil
import pytest

from lecture10_vae.beyond import cluster, local_cluster
from lecture10_vae.utils import mnist
from lecture10_vae.utils.command_line import UserError
from lecture10_vae.utils.run import read_curves

TIMEOUT = 240  # seconds until a process has certainly failed to end by itself
GOOD = {"chief": ["a:1"], "worker": ["b:1", "b:2"], "ps": ["c:1"]}


def config(job="ps", index=0, **others):
    return json.dumps({"cluster": GOOD | others, "task": {"type": job, "index": index}})


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", json.dumps({"cluster": GOOD}), config(index="0"), config("evaluator"), config(master=["d:1"])),
        *(config("worker", 2), config("worker", -1), config(ps=[]), config(chief=["a:1", "a:2"]), config(ps="c:1")),
        *(config(ps=["c"]), config(ps=[":2222"]), config(ps=["c:70000"]), config(ps=[7]), config(ps=["a:1"])),
    ],
)
def test_a_wrong_tf_config_is_one_line(text):
    with pytest.raises(UserError, match="TF_CONFIG") as error:
        cluster.read_config(text)
    assert "\n" not in str(error.value)
    assert cluster.read_config(config("worker", 1)) == (GOOD, "worker", 1)  # a right one


@pytest.mark.skipif(not hasattr(socket, "SO_BINDTODEVICE"), reason="Linux alone")
def test_a_server_that_listens_on_all_addresses_can_be_kept_to_the_loopback():
    with socket.create_server(("", 0)) as server:
        port = server.getsockname()[1]
        assert cluster.keep_to_loopback(port)
        assert server.getsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, 16) == b"lo\0"
        cluster.wait_for(f"127.0.0.1:{port}")


@pytest.fixture(scope="module")
def data_dir(small_mnist, tmp_path_factory):
    """A folder with a small part of MNIST, which processes can read: 20 steps an epoch."""
    folder = tmp_path_factory.mktemp("data")
    for prefix, part in (("train", "train"), ("t10k", "test")):
        pixels, labels = small_mnist[part].pixels, small_mnist[part].labels.astype(np.uint8)
        for name, array in ((f"{prefix}-images-idx3-ubyte", pixels), (f"{prefix}-labels-idx1-ubyte", labels)):
            (folder / name).write_bytes(mnist.to_idx(array))
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


@pytest.mark.slow
def test_whoever_is_killed_is_missed_and_comes_back(start_script, data_dir, tmp_path, monkeypatch):
    """A worker, a parameter server and the chief, one after the other, from one run's folder."""
    addresses = local_cluster.addresses(workers=2)

    def start(job):
        monkeypatch.setenv("TF_CONFIG", config(job, **addresses))
        return start_script("beyond/cluster", "--data-dir", data_dir, "--epochs", 40, cwd=tmp_path)

    def kill(process):
        process.kill()
        process.wait()

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
    printed = {}
    for job, process in (("chief", chief), ("worker", worker)):
        printed[job], errors = process.communicate(timeout=TIMEOUT)
        assert (process.returncode, errors) == (0, "")
    assert "going on after epoch" in printed["chief"]
    assert 0 < int(re.search(r"took ([\d,]+) steps", printed["worker"])[1].replace(",", "")) < 40 * 20
    epochs, bounds = zip(*read_curves(tmp_path / "runs" / "cluster" / "test")["bound"], strict=True)
    assert epochs == (*range(41),)
    assert bounds[-1] > -170
