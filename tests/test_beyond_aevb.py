"""Figure 2 of Kingma and Welling: each size is the slides' VAE, and a command that is stopped goes on."""

import json

import pytest

from lecture10_vae import vae
from lecture10_vae.beyond import aevb
from lecture10_vae.utils.command_line import UserError
from lecture10_vae.utils.run import Run


@pytest.mark.slow
def test_each_size_is_the_slides_vae_as_its_script_trains_it(tmp_path, on_small_mnist, monkeypatch):
    monkeypatch.setattr(aevb, "CODE_SIZES", (3, 5))
    flags, folder = {"epochs": 2, "hidden_size": 20, "plain": True}, tmp_path / "aevb"
    log = Run.log
    with monkeypatch.context() as stopping:
        stopping.setattr(Run, "log", lambda run, *given, **parts: log(run, *given, **parts) or 1 / 0)
        with pytest.raises(ZeroDivisionError):  # after the first epoch of the first size
            aevb.main(logdir=folder, **flags)
    results = aevb.main(logdir=folder, **flags)
    assert json.loads((folder / "results.json").read_text())["by_code_size"]["5"] == results["by_code_size"][5]
    assert {path.name for path in folder.glob("*.png")} == {"bounds.png", "divergences.png"}
    assert aevb.main(logdir=folder, **flags)["by_code_size"][3] == results["by_code_size"][3]  # trains nothing

    of_size, by_script = results["by_code_size"][3], vae.main(code_size=3, logdir=tmp_path / "vae", **flags)
    assert of_size["images_seen"] == [0, 2_000, 4_000]
    assert of_size["test_elbo_nats"] == of_size["curves"]["test_elbo_nats"][-1]
    assert of_size["test_elbo_nats"] == pytest.approx(by_script["elbo"], abs=2)  # but for the noise
    assert of_size["test_kl_nats"] == pytest.approx(by_script["kl"], abs=0.05)
    assert of_size["dimensions_in_use"] == by_script["dimensions_in_use"]
    assert sum(of_size["kl_by_dimension_nats"]) == pytest.approx(of_size["test_kl_nats"], rel=1e-4)

    with pytest.raises(UserError, match="single run"):  # whose results.json would be replaced
        aevb.main(logdir=tmp_path / "vae", **flags)
