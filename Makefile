# Every command of the README. On Windows, or without make, see "Without make" there.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: vae distributions regression classification lower_bound variational_inference bayesian_network lecture lectures notebooks jupyter test test-slow bench check format tensorboard screenshots

vae: .venv/ready
	$(BIN)/python lecture10_vae/vae.py

distributions regression classification lower_bound variational_inference bayesian_network: .venv/ready
	$(BIN)/python lecture10_vae/$@.py

# The VAE comes before variational_inference, which measures it.
lecture: lower_bound vae variational_inference distributions regression classification bayesian_network

# The notes and the READMEs, from templates, scripts and what the runs measured
lectures: lecture
	$(BIN)/python lecture10_vae/lower_bound.py --full-covariance --logdir runs/lower_bound_full
	$(BIN)/python lecture10_vae/regression.py --learn-stddev --logdir runs/regression_stddev
	$(BIN)/python -m lectures.make

# The notebooks' kernels want test processes that have done nothing else: after other tests, a reply got lost.
test: .venv/ready
	$(BIN)/pytest --numprocesses 2 --ignore tests/test_notebooks.py
	$(BIN)/pytest --numprocesses 2 tests/test_notebooks.py

test-slow: .venv/ready
	$(BIN)/pytest --numprocesses 2 -m slow

check: .venv/ready
	$(BIN)/ruff format --check
	$(BIN)/ruff check

format: .venv/ready
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

# Each contender has an environment of its own; they take 3 GB and some minutes, and the rounds half an hour.
bench: .venv/ready $(foreach peer,torch jax keras,benchmarks/.venv-$(peer)/ready)
	$(BIN)/python benchmarks/run.py

benchmarks/.venv-%/ready: benchmarks/requirements-%.txt
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/pip install --quiet --disable-pip-version-check -r $<
	touch $@

tensorboard: .venv/ready
	@$(BIN)/python lecture10_vae/utils/show_runs.py

# TensorBoard's pictures in the notes, taken in a real browser: Chromium or Chrome must be there.
screenshots: .venv/ready
	$(BIN)/python -m lectures.screenshots

# Runs each notebook from a fresh kernel, and keeps what it shows.
notebooks: .venv/ready
	$(BIN)/python notebooks/refresh.py

jupyter: .venv/ready
	$(BIN)/jupyter lab --LabApp.default_url=/lab/tree/notebooks --KernelManager.transport_encryption=auto

.venv/ready: requirements.txt constraints.txt pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@
