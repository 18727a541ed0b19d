"""A run's folder: its files as TensorFlow's own readers find them; what stops and resumes it; restoring; mistakes."""

import json
import random
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

from lecture10_vae import regression, vae
from lecture10_vae.tf1 import tf
from lecture10_vae.utils import command_line, run_text
from lecture10_vae.utils.command_line import UserError
from lecture10_vae.utils.run import KEPT, Run, read_curves, read_flags, restore
from tests.conftest import content

REPOSITORY = Path(__file__).resolve().parents[1]


def climb(logdir, epochs=3, resume=False, size=1, seed=0, begin=0.0, stop=None):
    """A run as the scripts have it, on a graph of one variable that climbs by 1 an epoch; `stop` may interrupt it."""
    flags = dict(locals())
    del flags["resume"], flags["stop"]
    with tf.Graph().as_default(), tf.Session() as session:
        height = tf.get_variable("height", [size], initializer=tf.constant_initializer(begin))
        step = tf.assign_add(height, tf.ones([size])).op
        run = Run(__file__, logdir, flags, resume=resume)
        if stop:
            save = run.saver.save
            run.saver.save = lambda session, path, epoch, **options: (
                stop(epoch) or save(session, path, epoch, **options)
            )
        session.run(tf.global_variables_initializer())
        for epoch in run.epochs(session, epochs):
            if epoch > 0:
                session.run(step)
            numbers = {"elbo": session.run(height)[0], "kl": 0.5}
            run.log(session, epoch, train=numbers, test=numbers)
        return run.finish(height=session.run(height)[0])


def height_of(folder, epoch=None, size=1):
    """The weights of such a run, as a graph that was built by itself restores them."""
    with tf.Graph().as_default(), tf.Session() as session:
        height = tf.get_variable("height", [size])
        restore(session, folder, epoch)
        return session.run(height)[0]


@pytest.fixture(scope="module")
def climbed(tmp_path_factory):
    """The folder of a run of three epochs, in a path that is hard to write down."""
    folder = tmp_path_factory.mktemp("runs") / "a folder, ü and 中文" / "climb"
    climb(folder)
    return folder


def test_each_run_has_a_folder_of_its_own_and_overwrites_nothing(tmp_path, capsys):
    climb(tmp_path / "vae")
    (tmp_path / "thesis").write_text("mine")
    capsys.readouterr()
    before = content(tmp_path)
    for asked, name in (("vae", "vae_2"), ("vae", "vae_3"), ("thesis", "thesis_2")):
        climb(tmp_path / asked, seed=1)
        assert str(tmp_path / name) in capsys.readouterr().out.splitlines()[0]
        assert read_flags(tmp_path / name)["seed"] == 1
    assert {path.name for path in tmp_path.iterdir()} == {"vae", "vae_2", "vae_3", "thesis", "thesis_2"}
    assert before.items() <= content(tmp_path).items()


def test_tensorflows_own_readers_find_flags_results_curves_and_graph(climbed):
    flags = {"script": "test_run", "epochs": 3, "size": 1, "seed": 0, "begin": 0.0}
    assert json.loads((climbed / "flags.json").read_text()) == read_flags(climbed) == flags
    results = json.loads((climbed / "results.json").read_text())
    assert results | flags | {"height": 3.0} == results
    assert results["versions"]["tensorflow"] == tf.__version__
    for part in ("train", "test"):
        events = EventAccumulator(str(climbed / part)).Reload()
        curve = [(event.step, event.value) for event in events.Scalars("elbo")]
        assert curve == read_curves(climbed / part)["elbo"] == [(epoch, float(epoch)) for epoch in range(4)]
        assert set(events.Tags()["scalars"]) == {"elbo", "kl"}
    assert hparams(climbed / "test")["epochs"].number_value == 3
    assert "height" in {node.name for node in EventAccumulator(str(climbed / "train")).Reload().Graph().node}


def hparams(part):
    """What TensorBoard's table of runs has of one, beside the curves of the same part."""
    (start,) = EventAccumulator(str(part)).Reload().PluginTagToContent("hparams").values()
    return HParamsPluginData.FromString(start).session_start_info.hparams


@pytest.mark.skipif(shutil.which("git") is None, reason="no git here")
def test_tensorboard_shows_the_lines_that_a_student_edited(tmp_path):
    script = tmp_path / "vae.py"
    script.write_text("kl = 1\nelbo = 2 - kl\n")
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b"]
    for command in (["init", "-q"], ["add", "vae.py"], ["commit", "-qm", "as it was"]):
        subprocess.run([*git, *command], check=True)
    assert describe_parts(script) == ({"flags"}, "", "")
    script.write_text("kl = 1\nelbo = 2 - 4 * kl\n")
    tags, edited, text = describe_parts(script)
    assert tags == {"flags", "edited"}
    assert edited == "elbo = 2 - 4 * kl"
    assert text == "```diff\n@@ -2 +2 @@ kl = 1\n-elbo = 2 - kl\n+elbo = 2 - 4 * kl\n```"


def describe_parts(script):
    """Of what is said of a run: the pages of Text, the word on the edit in the table of runs, and the whole of it."""
    values = tf.Summary.FromString(run_text.describe(str(script), {"seed": 0})).value
    text = {value.tag: value for value in values if value.metadata.plugin_data.plugin_name == "text"}
    table = next(value for value in values if value.metadata.plugin_data.plugin_name == "hparams")
    start = HParamsPluginData.FromString(table.metadata.plugin_data.content).session_start_info
    shown = tf.make_ndarray(text["edited"].tensor).item().decode() if "edited" in text else ""
    return set(text), start.hparams["edited"].string_value, shown


def test_newest_epochs_are_kept_and_restored_also_from_a_moved_folder(tmp_path):
    climb(tmp_path / "run", epochs=25)
    moved = (tmp_path / "run").rename(tmp_path / "moved")
    kept = {int(path.stem.partition("-")[2]) for path in moved.glob("weights-*.index")}
    assert kept == set(range(26 - KEPT, 26))
    assert [height_of(moved, epoch) for epoch in (6, 24, None)] == [6, 24, 25]


def test_killed_while_saving_keeps_the_epoch_before_and_resumes_to_whole_curves(tmp_path):
    """kill -9 at its worst moment: an epoch's numbers are written, its weights are not. Twice, and then to the end."""
    folder = tmp_path / "run"
    die = "lambda epoch: os.kill(os.getpid(), 9) if epoch == 3 else None"
    code = f"import os; from tests.test_run import climb; climb({str(folder)!r}, 6, resume=True, stop={die})"
    killed = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert height_of(folder) == 2
    assert not (folder / "results.json").exists()

    def interrupt(epoch):
        if epoch == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        climb(folder, 6, resume=True, stop=interrupt)
    assert height_of(folder) == 4
    assert climb(folder, 6, resume=True)["height"] == 6
    weights = content(folder, "weights*")
    assert climb(folder, 6, resume=True)["height"] == 6  # nothing is left to do
    assert content(folder, "weights*") == weights
    for part in ("train", "test"):
        for name, curve in read_curves(folder / part).items():
            assert curve == [(epoch, float(epoch) if name == "elbo" else 0.5) for epoch in range(7)]

    everything = content(tmp_path)
    for flags in ({"seed": 5}, {"epochs": 7}):  # those of another run
        with pytest.raises(UserError, match=rf"^.*holds a run with --{next(iter(flags))} \d.*$"):
            climb(folder, resume=True, **{"epochs": 6} | flags)
    assert content(tmp_path) == everything
    assert list(tmp_path.iterdir()) == [folder]


def test_two_models_of_two_runs_in_one_program(climbed, tmp_path):
    climb(tmp_path / "other", begin=10)
    sessions = []
    for folder in (climbed, tmp_path / "other"):
        with tf.Graph().as_default() as graph:
            height = tf.get_variable("height", [1])
            sessions.append((tf.Session(graph=graph), height))
        restore(sessions[-1][0], folder)  # outside of its graph, as a notebook does it
    assert [session.run(height)[0] for session, height in sessions] == [3, 13]


def test_weights_that_are_not_there_or_of_another_model_are_one_line(climbed, vae_run, tmp_path):
    (tmp_path / "a file").write_text("mine")
    none = "holds no weights"
    for folder, epoch, says in [
        *((tmp_path, None, none), (tmp_path / "a file", None, none)),
        *((climbed, 7, f"{none} of epoch 7"), (tmp_path / "nowhere", 1, "is not there")),
    ]:
        with pytest.raises(UserError, match=rf"^{re.escape(str(folder))} {says}.*$"):
            height_of(folder, epoch)
    for folder, size in [(climbed, 2), (vae_run.folder, 1)]:
        with pytest.raises(UserError, match=rf"^{re.escape(str(folder))} holds the weights of another model.*$"):
            height_of(folder, size=size)


def test_notes_use_of_a_trained_model_runs_as_printed_and_draws_anew(vae_run, small_mnist, tmp_path, monkeypatch):
    shutil.copytree(vae_run.folder, tmp_path / "runs" / "vae")
    monkeypatch.chdir(tmp_path)
    Image.fromarray(255 - small_mnist["test"].pixels[0]).save("seven.png")
    text = (REPOSITORY / "lectures" / "source" / "templates" / "hands_on.md").read_text(encoding="utf-8")
    section = text.partition("\n## Use a trained model\n")[2].partition("\n## ")[0]
    names = {}
    for block in re.findall(r"^```python\n(.*?)^```$", section, re.DOTALL | re.MULTILINE):
        exec(block, names)
    assert (names["codes"].shape, names["bounds"].shape, names["pictures"].shape) == ((10, 2), (10,), (2, 28, 28))
    assert Path("exported_vae", "saved_model.pb").exists()

    model, feed = names["model"], {names["model"].images: small_mnist["test"].images}
    draws = []
    for _ in range(2):
        with tf.Session(graph=model.code.graph) as session:
            restore(session, "runs/vae")
            assert session.run(model.kl, feed).mean() == pytest.approx(vae_run.results["kl"], rel=1e-4)
            draws.append([session.run(model.code, feed) for _ in range(20)])
    assert len({draw.tobytes() for draw in draws[0]}) == 20
    np.testing.assert_array_equal(*draws)  # each session begins the same sequence


def test_start_from_begins_from_another_runs_weights(vae_run, vae_alone, on_small_mnist, tmp_path):
    before = content(vae_run.folder)
    vae.main(epochs=1, plain=True, start_from=vae_run.folder, logdir=tmp_path / "on")
    (zero, begin), (one, _) = read_curves(tmp_path / "on" / "test")["kl"]
    assert (zero, one) == (0, 1)
    assert begin == pytest.approx(vae_run.results["kl"], rel=1e-4)
    assert content(vae_run.folder) == before


def test_divergence_is_one_line_and_keeps_the_last_good_epoch(on_small_mnist, tmp_path):
    with pytest.raises(UserError, match=r"^Training diverges: log_prob .*--learning-rate.*$"):
        regression.main(epochs=3, learning_rate=1e7, logdir=tmp_path / "run")
    assert [path.name for path in (tmp_path / "run").glob("*.index")] == ["weights-0.index"]
    assert not (tmp_path / "run" / "results.json").exists()


OUT_OF_MEMORY = tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor\nand a page more")


@pytest.mark.parametrize(
    ("error", "status"),
    [(KeyboardInterrupt(), 130), (UserError("Few \x1b[31m\n."), 2), (OUT_OF_MEMORY, 2), (OSError(2, "mine"), None)],
)
def test_an_error_of_a_students_own_keeps_its_traceback_and_others_are_one_line(error, status, monkeypatch, capsys):
    def main():
        """Fails."""
        raise error

    monkeypatch.setattr(sys, "argv", ["script.py"])
    with pytest.raises(SystemExit if status else type(error)) as raised:
        command_line.run(main)
    if status:
        assert raised.value.code == status
        (line,) = capsys.readouterr().err.splitlines()
        assert line.isprintable()
    else:
        assert raised.value is error  # with which Python itself ends, in a traceback and status 1


def test_seed_is_the_graphs_alone():
    """Python's and NumPy's own random numbers go on as if there had been no seed."""

    def draw(seed):
        with tf.Graph().as_default(), tf.Session() as session:
            tf.set_random_seed(seed)
            random_tensors = [tf.layers.dense(tf.ones([1, 5]), 3)[0], tf.random_normal([3])]
            session.run(tf.global_variables_initializer())
            return session.run(random_tensors)

    before = random.getstate(), np.random.get_state()[1].tolist()
    np.testing.assert_array_equal(draw(1), draw(1))
    assert np.not_equal(draw(1), draw(2)).all()
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before
