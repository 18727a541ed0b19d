"""Clusters of real processes on this machine: that they end by themselves, and what the loss of each of them does."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys

import numpy as np
import psutil
import pytest

from lecture10_vae.beyond import cluster, local_cluster
from lecture10_vae.utils import mnist
from lecture10_vae.utils.command_line import UserError
from lecture10_vae.utils.run import read_curves
from lectures.source import build

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


SRUN = """#!/bin/bash
# As Slurm's: starts the rest of the line for each task, two on node a and one on b, and answers in any order
while [[ $1 == --* ]]; do [[ $1 == --label ]] && label=1; shift; done
for task in 2 0 1; do
    [[ $1 == hostname ]] && answer=$([[ $task == 2 ]] && echo b || echo a) || answer=$(SLURM_PROCID=$task "$@")
    echo "${label:+$task: }$answer"
done
"""


@pytest.mark.skipif(not shutil.which("bash"), reason="Slurm's scripts are bash's")
@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_notes_script_for_slurm_gives_each_task_of_each_job_a_place_of_its_own(language, tmp_path):
    text = (build.TEMPLATES / f"hands_on{build.ENDINGS[language]}").read_text(encoding="utf-8")
    (script,) = re.findall(r"^```\n(#!/bin/bash\n#SBATCH.*?)^```$", text, re.MULTILINE | re.DOTALL)
    python = '#!/bin/bash\necho "$TF_CONFIG" "$@"\n'
    for name, content in (("srun", SRUN), (".venv/bin/python", python), ("job", script)):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
        (tmp_path / name).chmod(0o755)
    folders, ports = set(), set()
    for job in (1, 2, 123_456_789):
        environment = os.environ | {"SLURM_JOB_ID": str(job), "PATH": f"{tmp_path}:{os.environ['PATH']}"}
        output = subprocess.run(["./job"], cwd=tmp_path, env=environment, text=True, capture_output=True, check=True)
        configs, flags = zip(*(line.rsplit("} ", 1) for line in output.stdout.splitlines()), strict=True)
        tasks = {(task.job, task.index): task for task in (cluster.read_config(text + "}") for text in configs)}
        assert set(tasks) == {("ps", 0), ("chief", 0), ("worker", 0)}
        addresses = [address.split(":") for some in tasks["ps", 0].cluster.values() for address in some]
        assert [host for host, _ in addresses] == ["a", "a", "b"]
        assert not ports & {port for _, port in addresses}
        ports |= {port for _, port in addresses}
        assert len(set(flags)) == 1
        folders |= set(flags)
    assert len(ports) == 9
    assert len(folders) == 3
    assert 1024 < min(map(int, ports)) <= max(map(int, ports)) < 32_768  # from there on Linux gives ports away


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


@pytest.mark.parametrize(
    ("how", "status"),
    [
        (signal.SIGTERM, 143),
        pytest.param(signal.SIGINT, 130, marks=pytest.mark.slow),
        pytest.param(
            signal.SIGKILL,
            -signal.SIGKILL,
            marks=[pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="Linux alone")],
        ),
    ],
)
def test_no_process_goes_on_when_the_launcher_is_ended(how, status, start_script, data_dir, tmp_path):
    launcher = start_script("beyond/local_cluster", "--data-dir", data_dir, "--epochs", 10_000, cwd=tmp_path)
    wait_for_line(launcher, "    1 ")
    processes = psutil.Process(launcher.pid).children(recursive=True)
    assert len(processes) == 3
    launcher.send_signal(how)
    assert launcher.wait(timeout=30) == status
    _, left = psutil.wait_procs(processes, timeout=30)
    training = [process for process in left if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]
    for process in training:
        process.kill()
    assert training == []


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
