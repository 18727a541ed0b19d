"""Figure 2 of Kingma and Welling: what is gathered for it, a shortened form, and what a stop does to it."""

import json

import pytest

from lecture10_vae import vae
from lecture10_vae.beyond import aevb
from lecture10_vae.utils import checkpoints
from lecture10_vae.utils.command_line import UserError

# After one epoch with 100 hidden units, mean over seeds 0-4, and four of their stddevs to either side
EXPECTED = {2: (-182.7, 13.8), 20: (-144.3, 3.5)}


def test_one_epoch_with_more_dimensions_has_the_better_bound(tmp_path, monkeypatch):
    monkeypatch.setattr(aevb, "CODE_SIZES", (2, 20))
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
    assert written["by_code_size"]["20"]["test_elbo_nats"] == results["by_code_size"][20]["test_elbo_nats"]
    assert {path.name for path in tmp_path.glob("*.png")} == {"bounds.png", "divergences.png"}


@pytest.mark.slow
def test_each_size_is_the_slides_vae_as_its_script_trains_it_even_where_it_was_stopped(
    tmp_path, on_small_mnist, monkeypatch
):
    monkeypatch.setattr(aevb, "CODE_SIZES", (3,))
    flags = {"epochs": 3, "hidden_size": 20}
    by_script = vae.main(code_size=3, logdir=tmp_path / "vae", **flags)
    with monkeypatch.context() as stopping:
        evaluate, calls = vae.evaluate, iter(range(10))

        def stop(*args):
            if next(calls) == 4:  # epochs 0 and 1 have been evaluated, each on two parts
                raise KeyboardInterrupt
            return evaluate(*args)

        stopping.setattr(vae, "evaluate", stop)
        with pytest.raises(KeyboardInterrupt):
            aevb.main(logdir=tmp_path / "aevb", **flags)
    assert checkpoints.numbers_of(tmp_path / "aevb" / "code_size_3") == [1, 0]
    results = aevb.main(logdir=tmp_path / "aevb", **flags)["by_code_size"][3]
    assert results["images_seen"] == [0, 2_000, 4_000, 6_000]
    for name in ("test_elbo_nats", "test_kl_nats", "dimensions_in_use"):
        assert results[name] == pytest.approx(by_script[name], rel=1e-6)


def test_the_folder_of_one_run_is_refused(tmp_path, on_small_mnist):
    (tmp_path / "config.json").write_text('{"script": "vae", "source": {}}')
    with pytest.raises(UserError, match="no folder for several runs"):
        aevb.main(epochs=1, logdir=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["config.json"]


def test_evaluated_epochs_are_even_on_a_logarithmic_axis_and_hold_the_last():
    assert sorted(aevb.evaluated_epochs(3)) == [0, 1, 2, 3]
    assert sorted(aevb.evaluated_epochs(35)) == [*range(11), 20, 30, 35]
