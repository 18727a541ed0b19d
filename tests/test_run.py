"""A run's folder: what stops, damages, moves, other configurations, other code and wrong flags do to it."""

import gzip
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

from lecture10_vae import classification, regression, vae
from lecture10_vae.load_run import load_run
from lecture10_vae.tf1 import tf
from lecture10_vae.utils import checkpoints, command_line, mnist, sources
from lecture10_vae.utils.command_line import UserError, make_parser
from lecture10_vae.utils.own_digits import read_digit
from lecture10_vae.utils.run import Run

REPOSITORY = Path(__file__).resolve().parents[1]


def curve(folder, tag="elbo"):
    events = EventAccumulator(str(folder)).Reload()
    return [(event.step, event.value) for event in events.Scalars(tag)]


def curves(logdir):
    """All curves of a run, as TensorBoard's own reader finds them."""
    return {(part, tag): curve(logdir / part, tag) for part in ("train", "test") for tag in ("elbo", "kl")}


def content(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def weights(logdir, epoch):
    return checkpoints.read(logdir, epoch).weights


def wait_for_line(process, beginning):
    for line in process.stdout:
        if line.startswith(beginning):
            return
    raise AssertionError(f"no line {beginning!r}; errors: {process.stderr.read()}")


def climb(logdir, epochs=3, fresh=False, size=1, **config):
    """A run as the scripts have it, on a graph of one variable that climbs by 1 an epoch: it takes a moment."""
    config = {"learning_rate": 1e-3, "seed": 0, **config}
    with tf.Graph().as_default(), tf.Session() as session, Run(__file__, logdir, config, fresh) as run:
        height = tf.get_variable("height", [size], initializer=tf.zeros_initializer())
        step = tf.assign_add(height, tf.ones([size])).op
        for epoch in run.epochs(session, epochs, images_per_epoch=1, keep={0, 1, epochs // 3, 2 * epochs // 3, epochs}):
            if epoch > 0:
                for _ in run.progress([[[0]]]):
                    session.run(step)
            for part in ("train", "test"):
                run.write(part, epoch, {"elbo": session.run(height)[0], "kl": 0.5})
            run.save(session, epoch)
        return run.finish("height.png", height=session.run(height)[0])


@pytest.fixture(scope="module")
def three_epochs(tmp_path_factory):
    """The folder of a run of three epochs; copy it."""
    folder = tmp_path_factory.mktemp("runs") / "climb"
    climb(folder)
    return folder


@pytest.fixture
def run_folder(three_epochs, tmp_path):
    return shutil.copytree(three_epochs, tmp_path / "a folder with [brackets], ü and 中文")


@pytest.fixture(scope="module")
def vae_folder(small_mnist, tmp_path_factory):
    """The folder of a VAE on few images."""
    folder = tmp_path_factory.mktemp("runs") / "vae"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mnist, "load", lambda part, data_dir=None: small_mnist[part])
        vae.main(epochs=3, logdir=folder)
    return folder


def test_tensorboards_own_reader_finds_curves_pictures_histograms_graphs_and_hyperparameters(vae_folder):
    three_epochs = vae_folder
    history = json.loads((three_epochs / "history.json").read_text())
    for part in ("train", "test"):
        events = EventAccumulator(str(three_epochs / part), {"histograms": 0}).Reload()
        for tag in ("elbo", "reconstruction", "kl"):
            values = [(event.step, event.value) for event in events.Scalars(tag)]
            assert values == [(epoch["epoch"], pytest.approx(epoch[part][tag])) for epoch in history]
        shapes = [(image.step, image.width, image.height) for image in events.Images("summary/samples/image")]
        assert shapes == [(epoch, 280, 28) for epoch in range(4)]
        assert [image.height for image in events.Images("summary/reconstructions/image")] == [56] * 4
        assert len(events.Histograms("summary/code_mean")) == len(events.Histograms("summary/code_stddev")) == 4
    train = EventAccumulator(str(three_epochs / "train")).Reload()
    assert train.PluginTagToContent("hparams")
    assert b"learning_rate | 0.001" in train.Tensors("configuration")[0].tensor_proto.string_val[0]
    slide = {node.name.split("/")[0] for node in EventAccumulator(str(three_epochs / "slide")).Reload().Graph().node}
    assert slide == {
        "images", "prior", "encoder", "code", "decoder", "reconstruction", "kl", "elbo", "samples", "global_step"
    }  # fmt: skip
    whole = {node.name.split("/")[0] for node in train.Graph().node}
    assert slide | {"optimize", "each_batch"} <= whole


def test_killed_run_goes_on_as_if_never_killed(start_script, tmp_path):
    killed = start_script("vae", "--epochs", 2, cwd=tmp_path)
    wait_for_line(killed, "    1 ")
    killed.kill()
    killed.wait()
    resumed = start_script("vae", "--epochs", 2, cwd=tmp_path)
    wait_for_line(resumed, "runs/vae: going on after epoch 1.".replace("/", os.sep))
    straight = start_script("vae", "--epochs", 2, "--logdir", "straight", cwd=tmp_path)
    assert [process.wait(timeout=200) for process in (resumed, straight)] == [0, 0]
    assert curves(tmp_path / "runs" / "vae") == curves(tmp_path / "straight")
    for name, value in weights(tmp_path / "straight", 2).items():
        np.testing.assert_array_equal(weights(tmp_path / "runs" / "vae", 2)[name], value)


@pytest.mark.skipif(sys.platform == "win32", reason="no such signal there")
def test_ctrl_c_loses_no_epoch_and_says_how_to_go_on(start_script, tmp_path):
    # A shell that starts its jobs in the background has them ignore Ctrl-C.
    heed = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.default_int_handler)}
    for flags, again in (([], "The same command"), (["--fresh"], "The same command without --fresh")):
        stopped = start_script("vae", *flags, cwd=tmp_path, **heed)
        wait_for_line(stopped, "    0 ")
        stopped.send_signal(signal.SIGINT)
        _, errors = stopped.communicate(timeout=60)
        assert stopped.returncode == 130
        assert errors.splitlines() == [f"Stopped. {again} goes on from the last full epoch."]
        assert checkpoints.read_newest(tmp_path / "runs" / "vae").number == 0


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (KeyboardInterrupt(), "Stopped."),
        (OSError(28, "Disk full", "x"), "Disk full: x. Fix that and give the same command again."),
        (MemoryError(), "Out of memory: close other programs."),
    ],
)
def test_script_without_epochs_promises_none(error, line, monkeypatch, capsys):
    def main():
        """Fails."""
        raise error

    monkeypatch.setattr(sys, "argv", ["distributions.py"])
    with pytest.raises(SystemExit):
        command_line.run(main)
    assert capsys.readouterr().err == f"{line}\n"


@pytest.mark.skipif(sys.platform == "win32", reason="no such signal there")
@pytest.mark.parametrize("seconds", [0.5, 1.5])
def test_ctrl_c_while_tensorflow_loads_is_one_line(start_script, tmp_path, seconds):
    heed = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.default_int_handler)}
    stopped = start_script("vae", cwd=tmp_path, **heed)
    with pytest.raises(subprocess.TimeoutExpired):
        stopped.wait(seconds)
    stopped.send_signal(signal.SIGINT)
    _, errors = stopped.communicate(timeout=60)
    assert (stopped.returncode, errors) == (130, "Stopped before anything was written.\n")
    assert list(tmp_path.iterdir()) == []


def test_finished_run_is_evaluated_again_and_goes_on_if_asked_for_more(run_folder, capsys):
    first = json.loads((run_folder / "results.json").read_text())
    assert climb(epochs=3, logdir=run_folder) == first
    assert "nothing left to train after epoch 3" in capsys.readouterr().out
    more = climb(epochs=4, logdir=run_folder)
    assert more["epochs"] == 4
    assert more["seconds"] >= first["seconds"]
    with pytest.raises(UserError, match="trained for 4 epochs, epochs 1 is fewer"):
        climb(epochs=1, logdir=run_folder)


def test_checkpoints_that_are_kept_are_those_that_pictures_and_recovery_need(tmp_path):
    climb(epochs=9, logdir=tmp_path)
    assert checkpoints.numbers_of(tmp_path) == [9, 8, 6, 3, 1, 0]  # slide 26's rows, and the last but one


def test_moved_or_copied_run_goes_on_by_itself(run_folder, tmp_path):
    copied = shutil.copytree(run_folder, tmp_path / "copied")
    before = content(run_folder)
    assert climb(epochs=4, logdir=copied)["epochs"] == 4
    assert content(run_folder) == before
    moved = run_folder.rename(tmp_path / "moved")
    climb(epochs=4, logdir=moved)
    assert curves(moved) == curves(copied)


def damage(path, how):
    if how == "deleted":
        path.unlink()
    elif how == "a folder":
        path.unlink()
        path.mkdir()
    else:
        path.write_bytes(path.read_bytes()[: int(how * path.stat().st_size)])


@pytest.mark.parametrize("how", ["deleted", "a folder", 0, 0.3, 0.99])
def test_damaged_newest_epoch_is_trained_again(three_epochs, run_folder, capsys, how):
    damage(checkpoints.path_of(run_folder, 3), how)
    if how == "a folder":  # which is nothing of ours to delete
        with pytest.raises(OSError, match="epoch-3"):
            climb(epochs=3, logdir=run_folder)
        return
    climb(epochs=3, logdir=run_folder)
    printed = capsys.readouterr().out
    assert "going on after epoch 2." in printed
    assert how == "deleted" or f"{checkpoints.path_of(run_folder, 3)} cannot be read, or is another run's." in printed
    assert curves(run_folder) == curves(three_epochs)


@pytest.mark.parametrize("how", ["deleted", 0, 0.5, 0.99])
@pytest.mark.parametrize("name", ["config.json", "history.json", "results.json", "test/epoch-000001.tfevents"])
def test_any_other_damaged_file_is_made_anew(three_epochs, run_folder, name, how):
    damage(run_folder / name, how)
    climb(epochs=3, logdir=run_folder)
    assert curves(run_folder) == curves(three_epochs)
    for json_file in ("config.json", "history.json", "results.json"):
        assert json.loads((run_folder / json_file).read_text()) == json.loads((three_epochs / json_file).read_text())


def test_checkpoint_of_another_run_is_not_taken(run_folder, three_epochs, tmp_path):
    climb(tmp_path / "other", epochs=4, seed=5, size=2)
    shutil.copy(checkpoints.path_of(tmp_path / "other", 4), run_folder / "checkpoints")
    assert climb(run_folder)["epochs"] == 3
    assert curves(run_folder) == curves(three_epochs)


def test_no_epoch_that_can_be_read_begins_anew(three_epochs, run_folder):
    for number in checkpoints.numbers_of(run_folder):
        checkpoints.path_of(run_folder, number).write_bytes(b"")
    climb(epochs=3, logdir=run_folder)
    assert curves(run_folder) == curves(three_epochs)


def test_clock_set_back_leaves_no_hole_in_the_curves(run_folder, three_epochs, monkeypatch):
    checkpoints.path_of(run_folder, 3).unlink()
    now = os.stat(run_folder).st_mtime
    monkeypatch.setattr("time.time", lambda: now - 86_400)
    climb(epochs=3, logdir=run_folder)
    assert curves(run_folder) == curves(three_epochs)


def test_other_configuration_is_refused_and_fresh_replaces_it(run_folder):
    (run_folder / "my notes.txt").write_text("keep")
    (run_folder / "pictures" / "mine.png").write_text("keep")
    (run_folder / "checkpoints" / "mine.npz").write_text("keep")
    before = content(run_folder)
    with pytest.raises(UserError, match=r"seed was 0, now 5.*another logdir.*_2 is free.*fresh=True"):
        climb(epochs=1, seed=5, logdir=run_folder)
    assert content(run_folder) == before
    assert climb(epochs=1, seed=5, logdir=run_folder, fresh=True)["seed"] == 5
    for mine in ("my notes.txt", "pictures/mine.png", "checkpoints/mine.npz"):
        assert (run_folder / mine).read_text() == "keep"
    assert [step for step, _ in curve(run_folder / "test")] == [0, 1]
    assert checkpoints.numbers_of(run_folder) == [1, 0]


def test_fresh_deletes_nothing_if_the_new_run_does_not_work(run_folder, monkeypatch):
    before = content(run_folder)
    with pytest.raises(UserError, match="GiB needed"):
        climb(size=10**11, logdir=run_folder, fresh=True)
    assert content(run_folder) == before


def test_run_that_saved_no_epoch_is_in_nobodys_way(tmp_path):
    with tf.Graph().as_default(), tf.Session() as session, Run(__file__, tmp_path, {"seed": 7}) as run:
        tf.get_variable("weight", [])
        run.begin(session)
    assert climb(epochs=1, logdir=tmp_path)["seed"] == 0


@pytest.mark.parametrize("name", ["test/thesis.txt", "notes.txt", "config.json"])
@pytest.mark.parametrize("fresh", [False, True])
def test_folder_with_other_things_is_refused_even_with_fresh_and_left_as_it_is(tmp_path, name, fresh):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text('{"editor": "vim"}')
    before = content(tmp_path)
    with pytest.raises(UserError, match=r"holds (test|notes.txt|config.json), but no run"):
        Run(vae.__file__, tmp_path, {}, fresh)
    assert content(tmp_path) == before  # no lock either


def test_folder_in_use_is_refused(tmp_path):
    other = f"from lecture10_vae.utils.run import Run; Run({vae.__file__!r}, {str(tmp_path)!r}, {{}})"
    with Run(vae.__file__, tmp_path, {}):
        refused = subprocess.run([sys.executable, "-c", other], capture_output=True, text=True, check=False)
    assert "in use by another process" in refused.stderr


def test_changed_source_is_refused_by_name_and_changed_comments_are_not(tmp_path):
    text = Path(vae.__file__).read_text(encoding="utf-8")
    script = tmp_path / "vae.py"

    def refusal(edited):
        script.write_text(edited, encoding="utf-8")
        return sources.describe_change({"source": before}, {"source": sources.digests(str(script))})

    before = sources.digests(vae.__file__)
    assert refusal(text.replace("tf.nn.relu", "tf.nn.tanh")).endswith(
        "changed since: make_encoder in vae.py, make_decoder in vae.py"
    )
    assert "build_graph in vae.py" in refusal(
        text.replace("tf.subtract(reconstruction, kl", "tf.subtract(reconstruction, 4 * kl")
    )
    assert refusal(text.replace("# Templates", "# Shared").replace('"""P(z) = N(0, I)', '"""The prior')) == ""


def test_run_of_other_source_is_refused_in_one_line(vae_folder, run_folder, tmp_path):
    for folder, place in ((run_folder, "climb in test_run.py"), (vae_folder, "make_decoder in vae.py")):
        edited = shutil.copytree(folder, tmp_path / "edited")
        config = json.loads((edited / "config.json").read_text())
        config["source"][place] = "another"
        (edited / "config.json").write_text(json.dumps(config))
        if folder is run_folder:
            with pytest.raises(UserError, match=rf"source has changed since: {place}\).*edited_2 is free"):
                climb(edited)
        else:
            with pytest.raises(UserError, match=f"holds a run of other code: .*{place}"):
                load_run(edited)
        shutil.rmtree(edited)


def test_trained_model_can_be_used(vae_folder, small_mnist):
    run_folder = vae_folder
    images = small_mnist["test"].images
    session, model = load_run(run_folder)
    history = json.loads((run_folder / "history.json").read_text())
    assert session.run(model.kl, {model.images: images}).mean() == pytest.approx(history[3]["test"]["kl"], rel=1e-5)
    session, model = load_run(run_folder, epoch=0)
    assert session.run(model.kl, {model.images: images}).mean() == pytest.approx(history[0]["test"]["kl"], rel=1e-5)
    with pytest.raises(UserError, match="holds no epoch 7"):
        load_run(run_folder, epoch=7)


def test_notes_use_of_a_trained_model_runs_as_printed_on_a_drawn_picture(vae_folder, tmp_path, monkeypatch):
    shutil.copytree(vae_folder, tmp_path / "runs" / "vae")
    monkeypatch.chdir(tmp_path)
    drawing = Image.new("RGB", (300, 200), "white")
    ImageDraw.Draw(drawing).line([(60, 30), (140, 30), (90, 170)], fill="navy", width=16)  # a 7, left of the middle
    drawing.save("seven.png")
    text = (REPOSITORY / "lectures" / "lecture10_vae.md").read_text(encoding="utf-8")
    blocks = re.findall(
        r"^```python\n(.*?)^```$", text.partition("## Use a trained model")[2], re.DOTALL | re.MULTILINE
    )
    names = {}
    for block in blocks[:3]:
        exec(block, names)
    assert (names["codes"].shape, names["bounds"].shape, names["decoded"].shape) == ((10, 2), (10,), (2, 28, 28))
    image = names["image"]
    assert (image.shape, image.dtype, image.max()) == ((1, 28, 28), np.float32, pytest.approx(1, abs=0.05))
    rows, columns = (np.flatnonzero(image[0].any(axis=axis)) for axis in (1, 0))
    assert max(np.ptp(rows), np.ptp(columns)) + 1 == 20
    weight = image[0] / image.sum()
    assert [(np.indices((28, 28))[axis] * weight).sum() for axis in (0, 1)] == pytest.approx([14, 14], abs=0.5)
    with tf.Graph().as_default(), tf.Session() as session:
        signature = tf.saved_model.load(session, ["serve"], "exported_vae").signature_def["serving_default"]
        code = session.run(signature.outputs["code_mean"].name, {signature.inputs["images"].name: image})
    assert code == pytest.approx(names["session"].run(names["model"].mean, {names["model"].images: image}), abs=1e-5)


def test_photograph_is_read_the_way_it_was_held(tmp_path):
    picture = Image.new("L", (60, 60), 255)
    ImageDraw.Draw(picture).line([(20, 10), (40, 10), (25, 50)], fill=0, width=6)  # a seven
    picture.save(tmp_path / "upright.png")
    lying = Image.Exif()
    lying[0x0112] = 6  # to be turned clockwise
    picture.rotate(90).save(tmp_path / "lying.png", exif=lying)
    np.testing.assert_array_equal(read_digit(tmp_path / "lying.png"), read_digit(tmp_path / "upright.png"))


@pytest.mark.parametrize("name", ["blank.png", "notes.txt"])
def test_no_digit_is_one_line(tmp_path, name):
    Image.new("L", (50, 50), 200).save(tmp_path / "blank.png")
    (tmp_path / "notes.txt").write_text("seven")
    with pytest.raises(UserError, match=r"give a PNG of one digit") as error:
        read_digit(tmp_path / name)
    assert "\n" not in str(error.value)


def test_divergence_is_one_line_and_keeps_the_last_good_epoch(on_small_mnist, tmp_path):
    with pytest.raises(UserError, match=r"training diverges, in epoch 1 .* is .*learning_rate below 10.0") as error:
        vae.main(epochs=3, learning_rate=10.0, logdir=tmp_path)
    assert "\n" not in str(error.value)
    assert checkpoints.numbers_of(tmp_path) == [0]
    assert not (tmp_path / "results.json").exists()


@pytest.mark.parametrize("script", [regression, classification])
def test_divergence_is_seen_in_what_is_trained(script, on_small_mnist, tmp_path):
    with pytest.raises(UserError, match="training diverges, in epoch 1 log_prob on train images"):
        script.main(epochs=1, learning_rate=100.0, logdir=tmp_path)


def test_divergence_of_a_walk_names_its_step(tmp_path):
    config = {"learning_rate": 0.02}
    with tf.Graph().as_default(), tf.Session() as session, Run(__file__, tmp_path, config) as run:
        run.begin(session)
        with pytest.raises(UserError, match=r"diverges, at step 5 bound is nan\. Try a learning_rate below 0\.02"):
            run.write("walk", 5, {"bound": np.nan})


def write_idx(path, array, pack=False):
    header = bytes([0, 0, 8, array.ndim]) + b"".join(size.to_bytes(4, "big") for size in array.shape)
    (gzip.open if pack else open)(path, "wb").write(header + array.tobytes())


def test_other_data_are_named_and_their_run_is_another(tmp_path, capsys):
    folder = tmp_path / "squares"
    folder.mkdir()
    random = np.random.default_rng(0)
    for prefix, count in (("train", 30), ("t10k", 14)):
        labels = np.arange(count, dtype=np.uint8) % 2
        pixels = random.integers(0, 256, (count, 28, 28), dtype=np.uint8) * labels[:, None, None]
        write_idx(folder / f"{prefix}-images-idx3-ubyte", pixels)
        write_idx(folder / f"{prefix}-labels-idx1-ubyte", labels)
    results = vae.main(epochs=1, logdir=tmp_path / "run", data_dir=folder)
    assert results["data"].startswith("squares, 30 images, ")
    assert "30 grey images of squares" in capsys.readouterr().out
    with pytest.raises(UserError, match=r"data was squares, 30 images.*now MNIST, 60,000 images"):
        vae.main(epochs=1, logdir=tmp_path / "run")


def test_bad_data_leave_no_run_behind(tmp_path):
    with pytest.raises(UserError, match="cannot be read"):
        vae.main(logdir=tmp_path / "run", data_dir=tmp_path)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--epoch", "3"], "unrecognized arguments: --epoch 3. See --help for the flags there are."),
        (["--epochs", "three"], "--epochs: invalid int value: 'three'. See --help"),
        (["--epochs"], "--epochs: expected one argument"),
        (["--fresh=maybe"], "ignored explicit argument 'maybe'"),
    ],
)
def test_flag_that_cannot_be_parsed_is_one_line(flags, message):
    with pytest.raises(UserError) as error:
        make_parser(vae.main).parse_args(flags)
    assert message in error.value.args[0]
    assert "\n" not in error.value.args[0]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--learning-rate", "nan"], "--learning-rate nan makes no sense: give a number above 0 and up to 10,000,000."),
        (["--data-dir", "nowhere"], "train-images-idx3-ubyte.gz cannot be read (No such file or directory)."),
    ],
)
def test_mistake_is_one_line(start_script, tmp_path, flags, message):
    process = start_script("vae", *flags, cwd=tmp_path)
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, output) == (2, "")
    assert len(errors.splitlines()) == 1
    assert message in errors
    assert list(tmp_path.iterdir()) == []


def test_home_folder_is_understood_and_help_names_every_flag():
    parser = make_parser(vae.main)
    assert "~" not in str(parser.parse_args(["--logdir=~/x"]).logdir)
    text = parser.format_help()
    for name in vae.main.__annotations__:
        assert name == "return" or f"--{name.replace('_', '-')}" in text


def limit_file_size():
    """To the student's process, a file that must not grow is a full disk."""
    import resource  # only where there is Unix

    resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)


@pytest.mark.skipif(sys.platform == "win32", reason="no limits on file sizes there")
def test_full_disk_is_one_line_and_loses_no_epoch(start_script, tmp_path):
    full = start_script("vae", "--epochs", 1, cwd=tmp_path, preexec_fn=limit_file_size)
    _, errors = full.communicate(timeout=100)
    assert full.returncode == 2
    assert re.fullmatch(r"File too large: runs/vae/train/\S+tfevents. Fix that .*; no epoch is lost.\n", errors)
    assert list((tmp_path / "runs" / "vae").rglob("*.unfinished")) == []
