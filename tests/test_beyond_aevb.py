"""Figure 2 of Kingma and Welling: what is gathered for it, in a shortened form that is stopped and goes on."""

import json

import pytest

from lecture10_vae import vae
from lecture10_vae.beyond import aevb
from lecture10_vae.utils.command_line import UserError
from lecture10_vae.utils.run import Run

# After one epoch with 100 hidden units, mean over seeds 0-4, and four of their stddevs to either side
EXPECTED = {2: (-182.7, 13.8), 20: (-144.3, 3.5)}


def test_one_epoch_with_more_dimensions_has_the_better_bound(tmp_path, monkeypatch):
    monkeypatch.setattr(aevb, "CODE_SIZES", (2, 20))
    log = Run.log
    with monkeypatch.context() as stopping:
        stopping.setattr(Run, "log", lambda run, *given, **parts: log(run, *given, **parts) or 1 / 0)
        with pytest.raises(ZeroDivisionError):  # after the first epoch of the first size
            aevb.main(epochs=1, hidden_size=100, logdir=tmp_path)
    results = aevb.main(epochs=1, hidden_size=100, logdir=tmp_path)
    for code_size, (bound, spread) in EXPECTED.items():
        of_size = results["by_code_size"][code_size]
        assert of_size["images_seen"] == [0, 60_000]
        assert of_size["test_elbo_nats"] == pytest.approx(bound, abs=spread)
        assert of_size["test_elbo_nats"] == of_size["curves"]["test_elbo_nats"][-1]
        assert sum(of_size["kl_by_dimension_nats"]) == pytest.approx(of_size["test_kl_nats"], rel=1e-4)
        assert of_size["kl_by_dimension_nats"] == sorted(of_size["kl_by_dimension_nats"], reverse=True)
        assert of_size["dimensions_in_use"] == sum(kl > 0.1 for kl in of_size["kl_by_dimension_nats"])
    written = json.loads((tmp_path / "results.json").read_text())
    assert written["by_code_size"]["20"]["test_elbo_nats"] == pytest.approx(of_size["test_elbo_nats"])
    assert {path.name for path in tmp_path.glob("*.png")} == {"bounds.png", "divergences.png"}
    again = aevb.main(epochs=1, hidden_size=100, logdir=tmp_path)  # which trains nothing
    assert {size: of_size["seconds"] for size, of_size in again["by_code_size"].items()} == {
        size: of_size["seconds"] for size, of_size in results["by_code_size"].items()
    }


def test_each_size_is_the_slides_vae_as_its_script_trains_it(tmp_path, on_small_mnist, monkeypatch):
    monkeypatch.setattr(aevb, "CODE_SIZES", (3,))
    flags = {"epochs": 1, "hidden_size": 20, "plain": True}
    by_script = vae.main(code_size=3, logdir=tmp_path / "vae", **flags)
    of_size = aevb.main(logdir=tmp_path / "aevb", **flags)["by_code_size"][3]
    assert of_size["images_seen"] == [0, 2_000]
    assert of_size["test_elbo_nats"] == pytest.approx(by_script["elbo"], abs=0.5)  # but for the noise
    assert of_size["test_kl_nats"] == pytest.approx(by_script["kl"], abs=0.05)
    assert of_size["dimensions_in_use"] == by_script["dimensions_in_use"]


def test_the_folder_of_one_run_is_refused(tmp_path):
    (tmp_path / "flags.json").write_text('{"script": "vae"}')
    with pytest.raises(UserError, match="single run"):
        aevb.main(epochs=1, logdir=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["flags.json"]


def test_evaluated_epochs_are_even_on_a_logarithmic_axis_and_hold_the_last():
    assert sorted(aevb.evaluated_epochs(3)) == [0, 1, 2, 3]
    assert sorted(aevb.evaluated_epochs(35)) == [*range(11), 20, 30, 35]
