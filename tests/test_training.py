"""Run folders: what a stop, a second configuration, a full or read-only disk and a wrong flag do to them."""

import json
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from lecture10_vae import bayesian_network, classification, regression, vae, variational_inference
from lecture10_vae.tf1 import tf, tfd
from lecture10_vae.utils import mnist
from lecture10_vae.utils.command_line import UserError
from lecture10_vae.utils.training import Run


def curve(folder, tag="elbo"):
    events = EventAccumulator(str(folder)).Reload()
    return [(event.step, event.value) for event in events.Scalars(tag)]


def wait_for_line(process, beginning):
    for line in process.stdout:
        if line.startswith(beginning):
            return
    raise AssertionError(f"no line {beginning!r}; errors: {process.stderr.read()}")


def test_tensorboards_own_reader_finds_curves_pictures_histograms_and_graph(on_small_mnist, tmp_path):
    vae.main(epochs=2, logdir=tmp_path)
    history = json.loads((tmp_path / "history.json").read_text())
    for part in ("train", "test"):
        events = EventAccumulator(str(tmp_path / part), {"histograms": 0}).Reload()
        for tag in ("elbo", "reconstruction", "kl"):
            values = [(event.step, event.value) for event in events.Scalars(tag)]
            assert values == [(epoch["epoch"], pytest.approx(epoch[part][tag])) for epoch in history]
        assert [(image.step, image.width, image.height) for image in events.Images("summary/samples/image")] == [
            (epoch, 280, 28) for epoch in range(3)
        ]
        assert [image.height for image in events.Images("summary/reconstructions/image")] == [56] * 3
        assert len(events.Histograms("summary/code_mean")) == len(events.Histograms("summary/code_stddev")) == 3
    names = {node.name.split("/")[0] for node in EventAccumulator(str(tmp_path / "train")).Reload().Graph().node}
    slide = {"images", "encoder", "code", "decoder", "elbo", "optimize"}
    assert slide <= names
    assert names <= slide | {"pixels", "optimize_batches", "prior", "global_step", "samples", "summary"}


@pytest.mark.parametrize("batch_size", [100, 70])
@pytest.mark.parametrize("script", [vae, regression, classification, variational_inference, bayesian_network])
def test_many_batches_a_run_train_as_one_batch_a_run(script, batch_size, small_mnist):
    """From the same weights and draws, XLA's loop and the slide's own operation come to the same weights."""
    pixels, labels = (array[:500] for array in small_mnist["train"])
    if script is variational_inference:
        labels = np.arange(500)
    batches = list(mnist.batches(mnist.Dataset(pixels, labels), batch_size, seed=0))
    options = {"num_images": 500} if script is variational_inference else {}
    with tf.Graph().as_default(), tf.Session() as session:
        graph = script.build_graph(batch_size=batch_size, **options)
        beside_pixels = [getattr(graph, name) for name in ("label", "digit", "index") if name in graph._fields]
        draws = []
        if script is bayesian_network:  # a Gaussian of the same shape has the same noise from the same draw
            draws = [tfd.MultivariateNormalDiag(tf.zeros([784, 10]), tf.ones([784, 10])).sample(seed=graph.draw)]
        elif script in (vae, variational_inference):
            draws = [(graph.code - graph.mean) / graph.stddev]
        session.run(tf.global_variables_initializer())
        start = session.run(tf.global_variables())
        noise = []
        for batch in batches:
            feed = {graph.pixels: batch.pixels} | dict.fromkeys(beside_pixels, batch.labels)
            noise.append(session.run([draws, graph.optimize], feed)[0])
        one_by_one = session.run(tf.global_variables())

        for variable, value in zip(tf.global_variables(), start, strict=True):
            variable.load(value, session)
        for some in mnist.batches(mnist.Dataset(pixels, labels), batch_size, seed=0, together=len(batches)):
            feed = {graph.pixels: some.pixels} | dict.fromkeys(beside_pixels, some.labels)
            if draws:
                count = max(len(some.labels) // batch_size, 1)
                feed[graph.noise] = np.concatenate([arrays[0] for arrays in noise[:count]])
                noise = noise[count:]
            session.run(graph.optimize_batches, feed)
        together = session.run(tf.global_variables())
    for before, one, other in zip(start, one_by_one, together, strict=True):
        assert (one != before).any()
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_killed_run_goes_on_as_if_never_killed(start_script, tmp_path):
    killed = start_script("vae", "--epochs", 2, cwd=tmp_path)
    wait_for_line(killed, "Epoch   1")
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    # As a kill between an epoch's curves and its checkpoint would leave them: TensorBoard must not show both.
    with tf.Graph().as_default():
        writer = tf.summary.FileWriter(str(tmp_path / "runs/vae/test"), filename_suffix=".killed")
        writer.add_summary(tf.Summary(value=[tf.Summary.Value(tag="elbo", simple_value=7.0)]), 2)
        writer.close()

    resumed = start_script("vae", "--epochs", 2, cwd=tmp_path)
    wait_for_line(resumed, "runs/vae: going on after epoch 1.")
    wait_for_line(resumed, "Epoch   2")
    straight = start_script("vae", "--epochs", 2, "--logdir", "straight", cwd=tmp_path)
    wait_for_line(straight, "Epoch   2")
    for part in ("train", "test"):
        resumed_curve, straight_curve = curve(tmp_path / "runs/vae" / part), curve(tmp_path / "straight" / part)
        assert [step for step, _ in straight_curve] == [0, 1, 2]
        assert resumed_curve == [(step, pytest.approx(value, abs=1e-3)) for step, value in straight_curve]


def test_ctrl_c_loses_no_epoch_and_says_how_to_go_on(start_script, tmp_path):
    # A shell that starts its jobs in the background has them ignore Ctrl-C.
    stopped = start_script("vae", cwd=tmp_path, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    wait_for_line(stopped, "Epoch   0")
    stopped.send_signal(signal.SIGINT)
    _, errors = stopped.communicate(timeout=60)
    assert stopped.returncode == 130
    assert errors.splitlines() == ["Stopped. The same command goes on from the last full epoch."]
    assert tf.train.latest_checkpoint(str(tmp_path / "runs/vae/checkpoints")).endswith("epoch-0")


def test_finished_run_is_evaluated_again_and_goes_on_if_asked_for_more(on_small_mnist, tmp_path, capsys):
    first = vae.main(epochs=1, logdir=tmp_path)
    again = vae.main(epochs=1, logdir=tmp_path)
    assert "nothing left to train after epoch 1" in capsys.readouterr().out
    assert again == first
    more = vae.main(epochs=2, logdir=tmp_path)
    assert more["epochs"] == 2
    assert more["seconds"] > first["seconds"]
    with pytest.raises(UserError, match="trained for 2 epochs, --epochs 1 is fewer"):
        vae.main(epochs=1, logdir=tmp_path)


def test_moved_run_folder_goes_on(on_small_mnist, tmp_path):
    vae.main(epochs=1, logdir=tmp_path / "here")
    shutil.move(tmp_path / "here", tmp_path / "there")
    assert vae.main(epochs=2, logdir=tmp_path / "there")["epochs"] == 2


def test_other_configuration_is_refused_and_fresh_replaces_it(on_small_mnist, tmp_path):
    vae.main(epochs=1, logdir=tmp_path)
    (tmp_path / "my notes.txt").write_text("keep")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(UserError, match=r"hidden_size was 100, now 50.*--logdir.*--fresh"):
        vae.main(epochs=1, hidden_size=50, logdir=tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    assert vae.main(epochs=1, hidden_size=50, logdir=tmp_path, fresh=True)["hidden_size"] == 50
    assert (tmp_path / "my notes.txt").read_text() == "keep"
    assert curve(tmp_path / "test")[0][0] == 0
    assert len(curve(tmp_path / "test")) == 2


def test_folder_with_other_things_is_refused_even_with_fresh(tmp_path):
    (tmp_path / "test").mkdir()
    (tmp_path / "test" / "thesis.txt").write_text("years of work")
    with pytest.raises(UserError, match=r"holds files but no run"):
        Run("vae", tmp_path, {}, fresh=True)
    assert (tmp_path / "test" / "thesis.txt").exists()


def test_damaged_config_is_one_line(tmp_path):
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(UserError, match=r"config.json is damaged: .*--fresh"):
        Run("vae", tmp_path, {})


def test_bad_data_leave_no_run_behind(tmp_path):
    with pytest.raises(UserError, match="MNIST's file cannot be read"):
        vae.main(logdir=tmp_path / "run", data_dir=tmp_path)
    assert not (tmp_path / "run").exists()


def test_folder_in_use_is_refused(tmp_path):
    other = f"from lecture10_vae.utils.training import Run; Run('vae', {str(tmp_path)!r}, {{}})"
    with Run("vae", tmp_path, {}):
        refused = subprocess.run([sys.executable, "-c", other], capture_output=True, text=True, check=False)
    assert "in use by another process" in refused.stderr


def test_damaged_checkpoint_is_one_line(on_small_mnist, tmp_path):
    vae.main(epochs=1, logdir=tmp_path)
    checkpoint = tmp_path / "checkpoints" / "epoch-1.data-00000-of-00001"
    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    with pytest.raises(UserError, match=r"epoch-1 cannot be read .*--fresh") as error:
        vae.main(epochs=1, logdir=tmp_path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("content", [None, "[{"])
def test_missing_or_damaged_history_is_one_line(content, on_small_mnist, tmp_path):
    vae.main(epochs=1, logdir=tmp_path)
    (tmp_path / "history.json").unlink()
    if content:
        (tmp_path / "history.json").write_text(content)
    with pytest.raises(UserError, match=r"history.json, .*missing or damaged: .*--fresh") as error:
        vae.main(epochs=2, logdir=tmp_path)
    assert "\n" not in str(error.value)
    assert vae.main(epochs=1, logdir=tmp_path, fresh=True)["epochs"] == 1


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--epoch", "3"], "unknown flag: --epoch 3. See --help for the flags there are."),
        (["--epochs", "three"], "--epochs: invalid literal for int() with base 10: 'three'. See --help"),
        (["--epochs", "0"], "--epochs 0 makes no sense: give a number above 0."),
        (["--seed", "-1"], "--seed -1 makes no sense: give a number not below 0."),
        (["--learning-rate", "nan"], "--learning-rate nan makes no sense"),
        (["--logdir", "/proc/runs"], "/proc/runs"),
        (["--data-dir", "nowhere"], "nowhere/train-images-idx3-ubyte.gz: MNIST's file cannot be read (No such file"),
        (["--epochs"], "--epochs"),
    ],
)
def test_mistake_is_one_line(start_script, tmp_path, flags, message):
    process = start_script("vae", *flags, cwd=tmp_path)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert output == ""
    assert len(errors.splitlines()) == 1
    assert message in errors


def limit_file_size():
    """To the student's process, a file that must not grow is a full disk."""
    import resource  # only where there is Unix

    resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000))


@pytest.mark.skipif(sys.platform == "win32", reason="no limits on file sizes there")
def test_full_disk_is_one_line_and_loses_no_epoch(start_script, tmp_path):
    first = start_script("vae", "--epochs", 2, cwd=tmp_path)
    wait_for_line(first, "Epoch   1")
    first.kill()
    first.wait()
    full = start_script("vae", "--epochs", 2, cwd=tmp_path, preexec_fn=limit_file_size)
    _, errors = full.communicate(timeout=100)
    assert full.returncode == 2
    assert len(errors.splitlines()) == 1
    assert "epoch-2 cannot be written" in errors
    wait_for_line(start_script("vae", "--epochs", 2, cwd=tmp_path), "runs/vae: going on after epoch 1.")


def test_help_names_every_flag(start_script, tmp_path):
    output, errors = start_script("vae", "--help", cwd=tmp_path).communicate(timeout=60)
    assert errors == ""
    for flag in (
        "epochs",
        "batch-size",
        "code-size",
        "hidden-size",
        "learning-rate",
        "seed",
        "logdir",
        "data-dir",
        "fresh",
    ):
        assert f"--{flag}" in output
