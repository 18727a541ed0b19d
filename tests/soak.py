"""What a run's folder has to bear: kills, full disks, damaged files, two at once, and more: `make soak`, 20 minutes.

Whatever happens, the same command ends as if nothing had, or in one line that says what to do; and no file of a
student's goes. The counts are written to benchmarks/soak.md, for each test that ran; not if SOAK=0.1, say, asks for a
share of the moments, or -k for some cases.

Most runs are forked from a process that has loaded TensorFlow, so that a moment falls into what the script itself does.
"""

import collections
import datetime
import functools
import importlib
import json
import multiprocessing
import os
import platform
import random
import re
import shutil
import signal
import stat
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from test_run import climb, write_idx

from lecture10_vae import vae
from lecture10_vae.utils import checkpoints, command_line, mnist
from lecture10_vae.utils.command_line import UserError
from lecture10_vae.utils.run import read_config

if sys.platform == "win32":
    pytest.skip("signals, mounts and forks of Unix", allow_module_level=True)

REPOSITORY = Path(__file__).resolve().parents[1]
SHARE = float(os.environ.get("SOAK", 1))
EPOCHS = 3
PHASES = ["before the first epoch was kept", "in training", "in measuring and drawing", "after the end"]
MINE = {"my notes.txt": "what I saw", "pictures/mine.png": "what I drew"}
LOADED = [  # before a fork
    "soak", "lecture10_vae.vae", "lecture10_vae.classification", "matplotlib.backends.backend_agg",
    "tensorboard.plugins.hparams.summary", "tensorboard.plugins.projector",
]  # fmt: skip
HOWS = [
    "deleted",
    "emptied",
    "a folder",
    *(f"cut at {place:.0%}" for place in np.linspace(0.05, 0.99, 10)),
    "without its end",
]

os.environ["PYTHONPATH"] = os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "tests")])  # for what is forked
forks = multiprocessing.get_context("forkserver")
forks.set_forkserver_preload(LOADED)


class Counts:
    """A plugin that counts how many cases of each test held, and writes benchmarks/soak.md."""

    def __init__(self):
        self.rows = {}

    def pytest_runtest_makereport(self, item, call):
        if call.when == "call" and item.path.name == "soak.py":
            script = getattr(item, "callspec", None) and item.callspec.params.get("script")
            row = item.function.__doc__.splitlines()[0].rstrip(".") + (f": {script}.py" if script else "")
            counts = self.rows.setdefault(row, collections.Counter())
            counts += collections.Counter(
                cases=1, held=call.excinfo is None, seconds=call.duration, **dict(item.user_properties)
            )

    def write(self, path):
        """Replaces the rows of the tests that ran, and leaves the others as they are."""
        kept = re.findall(r"^\| ([^|]+) \| (.*) \|$", path.read_text(encoding="utf-8"), re.M) if path.exists() else []
        rows = {what: rest for what, rest in kept if what not in ("what", "---")}
        today = datetime.date.today()
        for what, counts in self.rows.items():
            moments = [counts[phase] for phase in PHASES]
            where = ", ".join(map(str, moments)) if any(moments) else ""
            rows[what] = f"{counts['cases']} | {counts['held']} | {where} | {counts['seconds']:.0f} | {today}"
        lines = [
            "# What a run's folder has to bear\n",
            f"Made by `make soak` on {describe_machine()}.\n",
            "A case holds if the same command ends as if nothing had been: the last weights equal to the bit,",
            "TensorBoard's curves without a hole or a double, the same pictures and numbers, no file of a student's",
            "gone; or, where nothing can be done for the moment, if it ends in one line that says what to do.",
            f"Moments fell, in this order: {'; '.join(PHASES)}.\n",
            "| what | cases | held | moments | seconds | last run |",
            "|---|---|---|---|---|---|",
            *(f"| {what} | {rest} |" for what, rest in rows.items()),
        ]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def describe_machine():
    cpuinfo = Path("/proc/cpuinfo")
    models = re.findall(r"model name\s*: (.*)", cpuinfo.read_text()) if cpuinfo.exists() else []
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("tensorflow", "tensorboard", "numpy"))
    where = f"{models[0] if models else platform.machine()}, {os.cpu_count()} cores, {platform.system()}"
    return f"{where}, Python {platform.python_version()}, {versions}"


@pytest.fixture(scope="session", autouse=True)
def _figures(request):
    counts = Counts()
    request.config.pluginmanager.register(counts)
    yield
    if SHARE == 1 and not request.config.option.keyword:
        counts.write(REPOSITORY / "benchmarks" / "soak.md")


def some(count):
    """Numbers 0, 1, ... of so many moments; fewer if SOAK asks for a share."""
    return range(max(1, round(SHARE * count)))


def run_script(script, flags, folder, output, before=None):
    """In a process of its own: a script as from the command line."""
    os.chdir(folder)
    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(f"{output}.{name}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    sys.argv = [f"{script}.py", *flags]
    if before:
        before()
    command_line.run(importlib.import_module(f"lecture10_vae.{script}").main)


class Script:
    """A run of a script that may be stopped."""

    number = 0

    def __init__(self, script, folder, *flags, data, outputs, logdir="run", before=None):
        Script.number += 1
        self.output = outputs / str(Script.number)
        self.logdir = folder / logdir
        flags = [f"--epochs={EPOCHS}", f"--data-dir={data}", f"--logdir={logdir}", *flags]
        self.process = forks.Process(target=run_script, args=(script, flags, folder, self.output, before))
        self.process.start()

    def stop(self, seconds, signal_number=signal.SIGKILL):
        """Sends the signal after so many seconds, and returns the phase that it fell into."""
        self.process.join(seconds)
        if not self.process.is_alive():
            return PHASES[3]
        os.kill(self.process.pid, signal_number)
        self.process.join()
        newest = max(checkpoints.numbers_of(self.logdir), default=None)
        return PHASES[0] if newest is None else PHASES[1] if newest < EPOCHS else PHASES[2]

    def end(self):
        """Its exit status, once it has ended, and what it wrote to stderr."""
        self.process.join(300)
        errors = Path(f"{self.output}.err")
        return self.process.exitcode, errors.read_text(encoding="utf-8") if errors.exists() else ""


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """The first 1,000 training images of MNIST and 300 test images, as a set of their own."""
    folder = tmp_path_factory.mktemp("data") / "digits"
    folder.mkdir()
    for part, prefix, count in (("train", "train", 1_000), ("test", "t10k", 300)):
        images = mnist.load(part).first(count)
        write_idx(folder / f"{prefix}-images-idx3-ubyte", images.pixels)
        write_idx(folder / f"{prefix}-labels-idx1-ubyte", images.labels.astype(np.uint8))
    return folder


@pytest.fixture(scope="session")
def start(data, tmp_path_factory):
    return functools.partial(Script, data=data, outputs=tmp_path_factory.mktemp("outputs"))


@pytest.fixture(scope="session")
def straight(start, tmp_path_factory):
    """For a script the folder of a run that nothing happened to, and the seconds that it took."""

    @functools.cache
    def run(script, *flags):
        folder = tmp_path_factory.mktemp("straight")
        start("vae", folder, "--help").end()  # by then the process to fork from is there
        started = time.perf_counter()
        assert start(script, folder, *flags).end() == (0, "")
        return folder / "run", time.perf_counter() - started

    return run


def read_events(logdir):
    """What TensorBoard's own reader finds of a run, but for the times: its curves, and what else it shows."""
    curves, shown = {}, {}
    for part in sorted(path.name for path in logdir.iterdir() if (path / "epoch-000000.tfevents").exists()):
        events = EventAccumulator(str(logdir / part), {"images": 0, "histograms": 0, "scalars": 0}).Reload()
        tags = events.Tags()
        shown[part, "graph"] = tags["graph"]
        for tag in tags["scalars"]:
            curves[part, tag] = [(event.step, event.value) for event in events.Scalars(tag)]
        for tag in tags["images"]:
            shown[part, tag] = [(event.step, event.encoded_image_string) for event in events.Images(tag)]
        for tag in tags["histograms"]:
            shown[part, tag] = [(event.step, event.histogram_value) for event in events.Histograms(tag)]
    return curves, shown


def without_seconds(path):
    content = json.loads(path.read_text(encoding="utf-8"))
    for entry in content if isinstance(content, list) else [content]:
        del entry["seconds"]
    return content


def check_same(logdir, other, whole=True):
    """Asserts that a run's folder is as another's; without `whole`, all of it that damage cannot take for good."""
    for name in ("results.json", "history.json"):
        assert without_seconds(logdir / name) == without_seconds(other / name)
    assert json.loads((logdir / "config.json").read_text()) == json.loads((other / "config.json").read_text())
    weights, expected = (checkpoints.read(folder, EPOCHS).weights for folder in (logdir, other))
    assert weights.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(weights[name], value)
    curves, shown = read_events(logdir)
    expected_curves, expected_shown = read_events(other)
    assert curves == expected_curves
    assert not [*logdir.rglob("*.unfinished")]
    if whole:  # what else TensorBoard shows cannot be made anew, nor the epochs of slide 26
        assert shown == expected_shown
        assert checkpoints.numbers_of(logdir) == checkpoints.numbers_of(other)
        for picture in (other / "pictures").glob("*.png"):
            assert (logdir / "pictures" / picture.name).read_bytes() == picture.read_bytes(), picture.name


def add_mine(logdir):
    for name, text in MINE.items():
        (logdir / name).parent.mkdir(exist_ok=True)
        (logdir / name).write_text(text)


def check_mine(logdir):
    for name, text in MINE.items():
        assert (logdir / name).read_text() == text


def moment_of(seconds, moment, moments, name):
    """The moments lie evenly in a run, each at a place of its own."""
    return seconds * (moment + random.Random(f"{name} {moment}").random()) / len(moments)


def check_goes_on(start, script, folder, straight, **options):
    """Asserts that the same command, given again, ends as if never stopped."""
    logdir = folder / options.get("logdir", "run")
    is_run = read_config(logdir) is not None  # else a student's files would make it a folder of theirs
    if is_run:
        add_mine(logdir)
    assert start(script, folder, **options).end() == (0, "")
    check_same(logdir, straight(script)[0])
    if is_run:
        check_mine(logdir)


@pytest.mark.parametrize("moment", some(40))
@pytest.mark.parametrize("script", ["vae", "classification"])
def test_kill(script, moment, start, straight, tmp_path, record_property):
    """SIGKILL at a random moment."""
    seconds = moment_of(straight(script)[1], moment, some(40), script)
    record_property(start(script, tmp_path).stop(seconds), 1)
    check_goes_on(start, script, tmp_path, straight)


@pytest.mark.parametrize("moment", some(40))
def test_kill_of_fresh(moment, start, straight, tmp_path, record_property):
    """SIGKILL at a random moment of --fresh on a finished run."""
    script = ("vae", "classification")[moment % 2]
    finished = straight(script) if moment // 2 % 2 else straight(script, "--seed=1")
    logdir = shutil.copytree(finished[0], tmp_path / "run")
    add_mine(logdir)
    seconds = moment_of(finished[1], moment, some(40), "fresh")
    phase = start(script, tmp_path, "--fresh").stop(seconds)
    begun = read_config(logdir)["seed"] == 0
    record_property(phase if begun else PHASES[0], 1)  # until then, the earlier run's epochs are there
    assert start(script, tmp_path, *([] if begun else ["--fresh"])).end() == (0, "")
    check_same(logdir, straight(script)[0])
    check_mine(logdir)


@pytest.mark.parametrize("moment", some(6))
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_other_signal(name, moment, start, straight, tmp_path, record_property):
    """SIGTERM or SIGHUP at a random moment."""
    script = ("vae", "classification")[moment % 2]
    seconds = moment_of(straight(script)[1], moment, some(6), name)
    record_property(start(script, tmp_path).stop(seconds, getattr(signal, name)), 1)
    check_goes_on(start, script, tmp_path, straight)


def limit_file_size(size):
    """To the student's process, a file that must not grow is a full disk."""
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)


@pytest.mark.parametrize("megabytes", range(1, 13))
def test_full_disk(megabytes, start, straight, tmp_path):
    """A disk of 1 to 12 MB that fills."""
    logdir = tmp_path / "run"
    logdir.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "none", str(logdir)]
    mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    try:
        before = None if mounted else functools.partial(limit_file_size, megabytes * 200_000)
        status, errors = start("vae", tmp_path, before=before).end()
        assert status == 2 or (megabytes > 8 and status == 0)  # a finished run's folder takes 9.6 MB
        if status == 2:
            reason = "No space left on device|Disk quota exceeded|File too large"
            assert re.fullmatch(rf"({reason}).*Fix that and give the same command again; no epoch is lost.\n", errors)
        assert not [*logdir.rglob("*.unfinished")]
        if mounted:
            subprocess.run(["mount", "-o", "remount,size=100m", str(logdir)], check=True)
        check_goes_on(start, "vae", tmp_path, straight)
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(logdir)], check=True)


def damage(path, how):
    content = path.read_bytes()
    path.unlink()
    if how == "a folder":
        path.mkdir()
        (path / "mine.txt").write_text("keep")
    elif how == "emptied":
        path.write_bytes(b"")
    elif how == "without its end" and path.suffix == ".tfevents":  # that of a record, which no checksum tells
        length, start = 0, 0
        while start + length < len(content):
            start += length
            length = 16 + int.from_bytes(content[start : start + 8], "little")
        path.write_bytes(content[:start])
    elif how == "without its end":
        path.write_bytes(content[:-1])
    elif how != "deleted":
        path.write_bytes(content[: int(float(re.search(r"\d+", how)[0]) / 100 * len(content))])


def refusal_of(run):
    """The one line in which a run ends; an empty one if it ends right."""
    try:
        run()
    except UserError as error:
        return str(error)
    except OSError as error:
        return f"{error.strerror}: {error.filename}"
    return ""


def check_ends_right_or_in_one_line(run, logdir, path, how, other):
    """Asserts so, and that it ends right once what stood in the way is gone."""
    refusal = refusal_of(run)
    if path.is_dir():
        assert (path / "mine.txt").read_text() == "keep"
    if refusal:
        assert how == "a folder"
        assert str(path) in refusal
        assert "\n" not in refusal
        shutil.rmtree(path)
        assert refusal_of(run) == ""
    check_same(logdir, other, whole=False)
    check_mine(logdir)


@pytest.fixture(scope="session")
def climbs(tmp_path_factory):
    """The folders of a run of one variable: finished, and stopped after the last epoch but one."""
    folders = {name: tmp_path_factory.mktemp("climbs") / name for name in ("finished", "interrupted")}
    for folder, epochs in zip(folders.values(), (EPOCHS, EPOCHS - 1), strict=True):
        climb(folder, epochs)
    (folders["interrupted"] / "results.json").unlink()
    return folders


CLIMB_FILES = [
    "config.json", "history.json", "results.json", ".lock",
    *(f"checkpoints/epoch-{number}.npz" for number in range(EPOCHS + 1)),
    *(f"{part}/epoch-{number:06d}.tfevents" for part in ("train", "test") for number in range(EPOCHS + 1)),
]  # fmt: skip


NOT_YET = ["results.json", *(name for name in CLIMB_FILES if f"{EPOCHS}." in name)]  # where the last epoch is missing


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize(
    ("state", "name"),
    [("finished", name) for name in CLIMB_FILES]
    + [("interrupted", name) for name in CLIMB_FILES if name not in NOT_YET],
)
def test_damaged_file(state, name, how, climbs, tmp_path):
    """A file of a run's folder deleted, emptied, cut, or a folder in its place."""
    logdir = shutil.copytree(climbs[state], tmp_path / "run")
    assert {str(path.relative_to(climbs["finished"])) for path in climbs["finished"].rglob("*") if path.is_file()} == {
        *CLIMB_FILES
    }
    add_mine(logdir)
    damage(logdir / name, how)
    run = functools.partial(climb, logdir, EPOCHS)
    check_ends_right_or_in_one_line(run, logdir, logdir / name, how, climbs["finished"])


@pytest.mark.parametrize("fresh", [False, True])
@pytest.mark.parametrize("moment", some(150))
def test_damaged_files(moment, fresh, climbs, tmp_path):
    """Two to six files of a run's folder damaged at once, then the same command, or --fresh."""
    choose = random.Random(moment)
    state = choose.choice(["finished", "interrupted"])
    logdir = shutil.copytree(climbs[state], tmp_path / "run")
    add_mine(logdir)
    for name in choose.sample(CLIMB_FILES, choose.randint(2, 6)):
        if (logdir / name).exists():
            damage(logdir / name, choose.choice([how for how in HOWS if how != "a folder"]))
    kept = checkpoints.read_newest(logdir)
    known = read_config(logdir) is not None
    refusal = refusal_of(functools.partial(climb, logdir, EPOCHS, fresh))
    if refusal:
        assert kept is None
        assert not known
        assert re.search(r"holds .*, but no run that can be read: choose another logdir", refusal)
    else:
        check_same(logdir, climbs["finished"], whole=fresh)
    check_mine(logdir)


VAE_FILES = [
    *CLIMB_FILES, "slide/epoch-000000.tfevents", "test/codes.tsv", "test/labels.tsv", "test/digits.png",
    "test/projector_config.pbtxt", "pictures/results.png", "pictures/manifold.png", "pictures/reconstructions.png",
]  # fmt: skip


@pytest.mark.parametrize("name", VAE_FILES)
def test_damaged_file_of_vae(name, data, straight, tmp_path):
    """A file of vae.py's folder cut, then a folder in its place."""
    finished = straight("vae")[0]
    assert {str(path.relative_to(finished)) for path in finished.rglob("*") if path.is_file()} == {*VAE_FILES}
    logdir = shutil.copytree(finished, tmp_path / "run")
    run = functools.partial(vae.main, EPOCHS, logdir=logdir, data_dir=data)
    add_mine(logdir)
    for how in (random.Random(name).choice(HOWS[3:]), "a folder"):
        damage(logdir / name, how)
        check_ends_right_or_in_one_line(run, logdir, logdir / name, how, finished)


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("name", mnist.SHA256)
@pytest.mark.parametrize("pack", [False, True], ids=["plain", "packed"])
def test_damaged_data(pack, name, how, data, tmp_path):
    """A data file deleted, emptied, cut, or a folder in its place."""
    folder = shutil.copytree(data, tmp_path / "digits")
    path = folder / name
    if pack:
        subprocess.run(["gzip", str(path)], check=True)
        path = folder / f"{name}.gz"
    damage(path, how)
    with pytest.raises(UserError) as error:
        vae.main(EPOCHS, logdir=tmp_path / "run", data_dir=folder)
    assert "\n" not in error.value.args[0]
    assert str(folder) in error.value.args[0]
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("moment", some(6))
def test_two_at_once(moment, start, straight, tmp_path):
    """Two processes at once in a folder."""
    script = ("vae", "classification")[moment % 2]
    first = start(script, tmp_path)
    time.sleep(moment_of(straight(script)[1], moment, some(6), "two") / 2)
    second = start(script, tmp_path)
    ends = [first.end(), second.end()]
    assert (0, "") in ends
    for status, errors in ends:
        in_use = "run is in use by another process: wait, or choose another --logdir.\n"
        assert (status, errors) in ((0, ""), (2, in_use))
    check_goes_on(start, script, tmp_path, straight)


def go_home(folder):
    os.environ["HOME"] = str(folder)


@pytest.mark.parametrize("how", ["moved", "copied", "moved to ~", "linked"])
@pytest.mark.parametrize("script", ["vae", "classification"])
def test_other_place(script, how, start, straight, tmp_path):
    """A run that was stopped, then moved, copied or linked."""
    start(script, tmp_path, logdir="at first").stop(0.6 * straight(script)[1])
    at_first = tmp_path / "at first"
    place = tmp_path / "elsewhere" / "run"
    place.parent.mkdir()
    if how == "copied":
        shutil.copytree(at_first, place)
    elif how == "linked":
        place.symlink_to(at_first)
    elif at_first.exists():
        at_first.rename(place)
    add = {"logdir": "~/run", "before": functools.partial(go_home, place.parent)} if how == "moved to ~" else {}
    assert start(script, place.parent, **add).end() == (0, "")
    check_same(place, straight(script)[0])


def set_clock_back():
    now = time.time
    time.time = lambda: now() - 86_400


@pytest.mark.parametrize("script", ["vae", "classification"])
@pytest.mark.parametrize("moment", some(3))
def test_clock(script, moment, start, straight, tmp_path):
    """A run that goes on with the clock a day back."""
    start(script, tmp_path).stop(straight(script)[1] * (0.5 + 0.2 * moment))
    check_goes_on(start, script, tmp_path, straight, before=set_clock_back)


ODD = ["with spaces", "[a-z]*?", "中文", "ü'\"", "%s {0}", "a\\b", "#$&;", "🙂"]


@pytest.mark.parametrize("name", ODD)
def test_odd_path(name, start, straight, data, tmp_path):
    """A path with spaces, brackets, Chinese or other signs, of the run and of the data."""
    folder = tmp_path / name
    digits = shutil.copytree(data, folder / "digits")
    start("classification", folder, data=digits, logdir=f"run {name}").stop(0.7 * straight("classification")[1])
    check_goes_on(start, "classification", folder, straight, data=digits, logdir=f"run {name}")


def as_nobody():
    """What runs a command as a user who may not write into root's checkout."""
    return ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.geteuid() == 0 else []


@pytest.mark.parametrize("script", ["vae", "classification"])
def test_read_only_checkout(script, start, straight, data, tmp_path_factory):
    """A checkout that is read-only."""
    top = Path(subprocess.check_output(["mktemp", "-d"], text=True).strip())  # which others may enter, unlike tmp_path
    try:
        checkout, home = top / "checkout", top / "home"
        shutil.copytree(REPOSITORY / "lecture10_vae", checkout / "lecture10_vae")
        shutil.copytree(data, checkout / "digits")
        home.mkdir()
        top.chmod(0o755)
        home.chmod(0o777)
        for path in [checkout, *checkout.rglob("*")]:
            path.chmod(
                path.stat().st_mode & ~(stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH) | stat.S_IRGRP | stat.S_IROTH
            )
        environment = {**os.environ, "PYTHONPATH": str(checkout), "HOME": str(home)}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        command = [*as_nobody(), sys.executable, str(checkout / "lecture10_vae" / f"{script}.py")]
        command += [f"--epochs={EPOCHS}", f"--data-dir={checkout / 'digits'}", "--logdir=run"]
        run = functools.partial(subprocess.run, command, env=environment, capture_output=True, text=True, check=False)
        refused = run(cwd=checkout)
        assert (refused.returncode, refused.stderr.count("\n")) == (2, 1), refused.stderr
        assert "Permission denied: run. Fix that" in refused.stderr
        made = run(cwd=home)
        assert (made.returncode, made.stderr) == (0, "")
        check_same(home / "run", straight(script)[0])
    finally:
        subprocess.run(["chmod", "-R", "u+w", str(top)], check=True)
        shutil.rmtree(top)
