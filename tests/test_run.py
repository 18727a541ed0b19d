"""A run's folder: its files as TensorFlow's own readers find them; what stops and resumes it; restoring; mistakes."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

from lecture10_vae import regression, vae
from lecture10_vae.tf1 import tf
from lecture10_vae.utils import command_line
from lecture10_vae.utils.command_line import UserError, make_parser
from lecture10_vae.utils.run import KEPT, Run, read_curves, read_flags, restore

TEMPLATES = Path(__file__).resolve().parents[1] / "lectures" / "source" / "templates"


def content(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


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
    capsys.readouterr()
    before = content(tmp_path)
    for name in ("vae_2", "vae_3"):
        climb(tmp_path / "vae", seed=1)
        assert str(tmp_path / name) in capsys.readouterr().out.splitlines()[0]
    (tmp_path / "thesis").write_text("mine")
    climb(tmp_path / "thesis")
    assert {path.name for path in tmp_path.iterdir()} == {"vae", "vae_2", "vae_3", "thesis", "thesis_2"}
    assert (tmp_path / "thesis").read_text() == "mine"
    after = content(tmp_path)
    assert {path: after[path] for path in before} == before
    assert read_flags(tmp_path / "vae")["seed"] == 0
    assert read_flags(tmp_path / "vae_3")["seed"] == 1


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
    train = EventAccumulator(str(climbed / "train")).Reload()
    (start,) = train.PluginTagToContent("hparams").values()
    hparams = HParamsPluginData.FromString(start).session_start_info.hparams
    assert hparams["epochs"].number_value == 3
    assert hparams["script"].string_value == "test_run"
    (tag,) = train.PluginTagToContent("text")
    assert b"| epochs | 3 |" in train.Tensors(tag)[0].tensor_proto.string_val[0]
    assert "height" in {node.name for node in train.Graph().node}


def test_newest_epochs_are_kept(tmp_path):
    climb(tmp_path / "run", epochs=25)
    kept = {int(path.stem.partition("-")[2]) for path in (tmp_path / "run").glob("weights-*.index")}
    assert kept == set(range(26 - KEPT, 26))
    assert height_of(tmp_path / "run", epoch=6) == 6


def test_killed_while_saving_keeps_the_epoch_before_and_resumes_to_whole_curves(tmp_path):
    """kill -9 at its worst moment: an epoch's numbers are written, its weights are not. Twice, and then to the end."""
    folder = tmp_path / "run"
    die = "lambda epoch: os.kill(os.getpid(), 9) if epoch == 3 else None"
    code = f"import os; from tests.test_run import climb; climb({str(folder)!r}, 6, resume=True, stop={die})"
    killed = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[1], check=False)
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
    assert list(tmp_path.iterdir()) == [folder]
    for part in ("train", "test"):
        for name, curve in read_curves(folder / part).items():
            assert curve == [(epoch, float(epoch) if name == "elbo" else 0.5) for epoch in range(7)]


def test_finished_run_has_nothing_left_to_resume_and_another_flag_is_refused(climbed, tmp_path, capsys):
    folder = shutil.copytree(climbed, tmp_path / "run")
    before = {path: data for path, data in content(folder).items() if "weights" in path.name}
    assert climb(folder, resume=True)["height"] == 3
    assert "nothing to train after epoch 3" in capsys.readouterr().out
    assert {path: data for path, data in content(folder).items() if "weights" in path.name} == before
    everything = content(tmp_path)
    for flags in ({"seed": 5}, {"epochs": 7}):
        with pytest.raises(UserError, match=rf"holds a run with --{next(iter(flags))} \d") as error:
            climb(folder, resume=True, **flags)
        assert "\n" not in str(error.value)
    assert content(tmp_path) == everything
    assert list(tmp_path.iterdir()) == [folder]


def test_any_kept_epoch_is_restored_also_from_a_moved_folder(tmp_path):
    climb(tmp_path / "run")
    moved = (tmp_path / "run").rename(tmp_path / "moved")
    assert height_of(moved) == 3
    assert [height_of(moved, epoch) for epoch in range(4)] == [0, 1, 2, 3]


def test_two_models_of_two_runs_in_one_program(climbed, tmp_path):
    climb(tmp_path / "other", begin=10)
    sessions = []
    for folder in (climbed, tmp_path / "other"):
        with tf.Graph().as_default() as graph:
            height = tf.get_variable("height", [1])
            sessions.append((tf.Session(graph=graph), height))
        restore(sessions[-1][0], folder)  # outside of its graph, as a notebook does it
    assert [session.run(height)[0] for session, height in sessions] == [3, 13]


@pytest.mark.parametrize("epoch", [None, 1, 7])
def test_folder_without_weights_is_one_line(climbed, tmp_path, epoch):
    for folder in [tmp_path, tmp_path / "nowhere", tmp_path / "a file"] + [climbed] * (epoch == 7):
        (tmp_path / "a file").write_text("mine")
        with pytest.raises(UserError, match="holds no weights") as error:
            height_of(folder, epoch)
        assert str(folder) in str(error.value)
        assert "\n" not in str(error.value)


def test_weights_of_another_model_are_one_line(climbed, vae_run):
    with pytest.raises(UserError, match="holds the weights of another model: it has no height like this"):
        height_of(climbed, size=2)
    with pytest.raises(UserError, match="another model"):
        height_of(vae_run.folder)


def test_trained_vae_is_used_in_three_lines_and_draws_anew(vae_run, small_mnist):
    curve = dict(read_curves(vae_run.folder / "test")["kl"])
    with tf.Graph().as_default():
        model = vae.build_graph()
        feed = {model.images: small_mnist["test"].images}
        draws = []
        for epoch in (0, 5, None):
            with tf.Session() as session:
                restore(session, vae_run.folder, epoch)
                kl = session.run(model.kl, feed).mean()
                assert kl == pytest.approx(curve[12 if epoch is None else epoch], rel=1e-4)
                noise = (model.code - model.mean) / model.stddev
                draws.append([session.run(noise, feed).round(3) for _ in range(20)])
    assert len({draw.tobytes() for draw in draws[0]}) == 20
    np.testing.assert_allclose(draws[0], draws[2], atol=0.01)  # each session begins the same sequence


def test_notes_use_of_a_trained_model_runs_as_printed(vae_run, tmp_path, monkeypatch):
    shutil.copytree(vae_run.folder, tmp_path / "runs" / "vae")
    monkeypatch.chdir(tmp_path)
    picture = Image.new("L", (60, 60), 255)
    ImageDraw.Draw(picture).line([(20, 10), (40, 10), (25, 50)], fill=0, width=6)
    picture.save("seven.png")
    texts = (path.read_text(encoding="utf-8") for path in TEMPLATES.glob("*.md"))
    (section,) = (text.partition("## Use a trained model\n")[2] for text in texts if "## Use a trained model\n" in text)
    names = {}
    for block in re.findall(r"^```python\n(.*?)^```$", section.partition("\n## ")[0], re.DOTALL | re.MULTILINE):
        exec(block, names)
    assert (names["codes"].shape, names["bounds"].shape, names["pictures"].shape) == ((10, 2), (10,), (2, 28, 28))
    with tf.Graph().as_default(), tf.Session() as session:
        signature = tf.saved_model.load(session, ["serve"], "exported_vae").signature_def["serving_default"]
        feed = {signature.inputs["images"].name: names["image"]}
        code, decoded = (session.run(signature.outputs[name].name, feed) for name in ("code_mean", "decoded"))
    expected = names["session"].run(names["model"].mean, {names["model"].images: names["image"]})
    np.testing.assert_allclose(code, expected, atol=1e-5)
    assert decoded.shape == (1, 28, 28)


def test_start_from_begins_from_another_runs_weights(vae_run, on_small_mnist, tmp_path, monkeypatch):
    before = content(vae_run.folder)
    monkeypatch.setattr(vae.pictures, "draw", lambda *_: None)
    monkeypatch.setattr(vae.evidence, "measure", lambda *_: {})
    monkeypatch.setattr(vae.evidence, "describe", lambda _: "")
    vae.main(epochs=1, plain=True, start_from=vae_run.folder, logdir=tmp_path / "on")
    (zero, begin), (one, _) = read_curves(tmp_path / "on" / "test")["kl"]
    assert (zero, one) == (0, 1)
    assert begin == pytest.approx(vae_run.results["kl"], rel=1e-4)
    assert content(vae_run.folder) == before


def test_divergence_is_one_line_and_keeps_the_last_good_epoch(on_small_mnist, tmp_path):
    with pytest.raises(UserError, match=r"Training diverges: log_prob .*--learning-rate") as error:
        regression.main(epochs=3, learning_rate=1e7, logdir=tmp_path / "run")
    assert "\n" not in str(error.value)
    assert [path.name for path in (tmp_path / "run").glob("*.index")] == ["weights-0.index"]
    assert not (tmp_path / "run" / "results.json").exists()


def call(main, monkeypatch, *flags):
    """The status with which a script's process would end."""
    monkeypatch.setattr(sys, "argv", ["script.py", *flags])
    with pytest.raises(SystemExit) as stop:
        command_line.run(main)
    return stop.value.code


@pytest.mark.parametrize(("error", "status"), [(KeyboardInterrupt(), 130), (UserError("Too \x1b[31m few."), 2)])
def test_what_a_student_can_mend_is_one_line(error, status, monkeypatch, capsys):
    def main():
        """Fails."""
        raise error

    assert call(main, monkeypatch) == status
    (line,) = capsys.readouterr().err.splitlines()
    assert line
    assert "\x1b" not in line


@pytest.mark.parametrize("error", [OSError(2, "No such file", "mine.txt"), ValueError("mine"), MemoryError()])
def test_error_in_a_students_own_code_keeps_its_traceback(error, monkeypatch):
    def main():
        """Fails."""
        raise error

    monkeypatch.setattr(sys, "argv", ["script.py"])
    with pytest.raises(type(error)) as raised:  # with which Python itself ends in a traceback and status 1
        command_line.run(main)
    assert raised.value is error


def test_out_of_memory_is_one_line(monkeypatch, capsys):
    def main():
        """Fails."""
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor\nand a page more")

    assert call(main, monkeypatch) == 2
    assert "memory" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="no such signal there")
def test_ctrl_c_is_one_line_and_keeps_the_newest_epoch(start_script, tmp_path):
    # A shell that starts its jobs in the background has them ignore Ctrl-C.
    heed = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.default_int_handler)}
    stopped = start_script("vae", cwd=tmp_path, **heed)
    assert any(line.startswith("    1 ") for line in stopped.stdout)
    stopped.send_signal(signal.SIGINT)
    _, errors = stopped.communicate(timeout=60)
    assert stopped.returncode == 130
    assert len(errors.splitlines()) == 1
    assert tf.train.latest_checkpoint(str(tmp_path / "runs" / "vae")).startswith(str(tmp_path))
    assert not (tmp_path / "runs" / "vae" / "results.json").exists()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--epoch", "3"], "unrecognized arguments: --epoch 3"),
        (["--epochs", "three"], "--epochs: invalid int value: 'three'"),
        (["--epochs"], "--epochs: expected one argument"),
        (["--plain=maybe"], "ignored explicit argument 'maybe'"),
        (["--learning-rate", "nan"], "--learning-rate nan: give a number above 0"),
        (["--seed", "-1"], "--seed -1: give a number from 0"),
        (["--start-from", "nowhere"], "--start-from nowhere: give the folder of a run"),
    ],
)
def test_flag_that_cannot_be_parsed_is_one_line(flags, message):
    with pytest.raises(UserError) as error:
        make_parser(vae.main).parse_args(flags)
    assert message in error.value.args[0]
    assert "\n" not in error.value.args[0]


def test_mistake_on_the_command_line_is_one_line_and_leaves_nothing_behind(start_script, tmp_path):
    process = start_script("vae", "--data-dir", "nowhere", cwd=tmp_path)
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, output) == (2, "")
    assert len(errors.splitlines()) == 1
    assert f"nowhere{os.sep}train-images-idx3-ubyte.gz" in errors
    assert list(tmp_path.iterdir()) == []


def test_home_folder_is_understood_and_help_names_every_flag():
    parser = make_parser(vae.main)
    assert "~" not in str(parser.parse_args(["--logdir=~/x"]).logdir)
    text = parser.format_help()
    for name in vae.main.__annotations__:
        assert name == "return" or f"--{name.replace('_', '-')}" in text


def test_seed_is_the_graphs_alone():
    """Python's and NumPy's own random numbers go on as if there had been no seed."""
    import random

    random.seed(7)
    np.random.seed(7)
    expected = random.random(), np.random.random()
    random.seed(7)
    np.random.seed(7)

    def draw(seed):
        with tf.Graph().as_default(), tf.Session() as session:
            tf.set_random_seed(seed)
            layer = tf.layers.dense(tf.ones([1, 5]), 5)
            noise = tf.random_normal([3])
            session.run(tf.global_variables_initializer())
            return np.hstack([session.run(layer).ravel(), session.run(noise)])

    np.testing.assert_array_equal(draw(1), draw(1))
    assert (draw(1) != draw(2)).all()
    assert (random.random(), np.random.random()) == expected
