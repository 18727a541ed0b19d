"""What the texts know of the papers' models: from the runs' folders, without what is of one machine or not used."""

import json

from lectures.source import papers


def test_what_is_recorded_is_used_and_of_no_machine():
    recorded = papers.load()
    assert papers.keep(recorded) == recorded
    assert all("data_dir" not in results for results in recorded.values())
    likelihoods = [results["test_log_likelihood_nats"] for name, results in recorded.items() if "paper_iwae" in name]
    assert len(set(likelihoods)) == len(likelihoods) > 5


def test_a_run_is_recorded_with_its_curve_where_a_picture_shows_it(tmp_path, monkeypatch):
    from lectures.source import measure

    monkeypatch.setattr(
        measure, "history", lambda run: [{"epoch": 0, "train": {}}, {"epoch": 1, "test": {"bound": -1}}]
    )
    for name in ("paper_iwae/k1", "paper_iwae/k5", "paper_iwae/my_own", "paper_bbb_grid/a"):
        (tmp_path / name).mkdir(parents=True)
        results = {"seed": 7, "seconds": 3.5, "data_dir": "/home/me/mnist", "error": 2}
        (tmp_path / name / "results.json").write_text(json.dumps(results))
    kept = {"seed": 7, "seconds": 3.5, "error": 2}
    curve = [{"epoch": 1, "test": {"bound": -1}}]
    expected = {"paper_iwae/k1": kept | {"curve": curve}, "paper_iwae/k5": kept, "paper_bbb_grid/a": kept}
    assert papers.record(tmp_path) == expected


def test_runs_that_differ_by_seed_are_averaged():
    recorded = {
        "a/k1_0": {"nats": -87.0, "seed": 0, "objective": "vae", "samples": 1},
        "a/k1_1": {"nats": -86.0, "seed": 1, "objective": "vae", "samples": 1},
        "a/gaussian": {"percent": 2.0},
        "a/gaussian_1": {"percent": 4.0},
        "a/gaussian_2": {"percent": 3.0, "more": 1.0},
        "a/k5_last": {"nats": -85.0},
    }
    told = papers.over_seeds(recorded)
    assert set(told) == {"a/k1", "a/gaussian", "a/k5_last"}
    assert told["a/k1"]["nats"] == {"mean": -86.5, "stddev": 0.5**0.5}
    assert (told["a/k1"]["seeds"], "objective" in told["a/k1"]) == (2, False)
    assert told["a/gaussian"] == {"percent": {"mean": 3.0, "stddev": 1.0}, "seeds": 3}
    assert told["a/k5_last"]["nats"] == {"mean": -85.0, "stddev": None}
