# Every command of the README. On Windows, or without make, see "Without make" there.

# The first Python here that is right; name another one: make vae PYTHON=/path/to/python
RIGHT := import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info < (3, 14))
PYTHON ?= $(or $(shell for python in python3 python3.13 python3.12 python3.11; do \
	$$python -c '$(RIGHT)' 2>/dev/null && echo $$python && break; done),python3)
VENV ?= .venv
BIN := $(VENV)/bin

# uv installs in seconds what takes pip minutes.
INSTALL := $(if $(shell command -v uv),uv pip install --python $(BIN)/python,$(BIN)/python -m pip install --disable-pip-version-check)

# An environment remembers its folder: where the checkout was moved, or its Python has gone, all is installed again.
ifneq ($(shell cat $(VENV)/ready 2>/dev/null; $(BIN)/python -c '$(RIGHT)' 2>/dev/null && echo works),$(CURDIR) works)
ANEW := anew
endif

SCRIPTS := lower_bound vae variational_inference amortized_inference distributions regression classification \
	bayesian_network
EXPERIMENTS := evidence_by_epoch amortization information gradients mean_field learned_stddev two_layers doubt grey_pixels

.PHONY: help $(SCRIPTS) lecture lectures exercises experiments
.PHONY: paper-iwae paper-bbb paper-aevb paper-cremer paper-beta cluster
.PHONY: notes notebooks jupyter test test-slow soak bench lock canary check format tensorboard screenshots anew

help:
	@echo "make vae trains the lecture's VAE, make test runs the tests; README.md has the other commands."

# With flags: make vae ARGS="--epochs 5 --hidden-size 20"
$(SCRIPTS): $(VENV)/ready
	$(BIN)/python lecture10_vae/$@.py $(ARGS)

# All of them; amortized_inference measures the VAE in runs/vae.
lecture: $(SCRIPTS)

# Past the slides: what papers report, trained anew. Hours; rerun the command to resume.

# Burda et al. 2016: table 1, each model anew for as many epochs, those of few codes with two seeds, and one on the
# paper's own schedule; then table 2, a trained VAE that goes on with more codes
paper-iwae: IWAE := $(BIN)/python lecture10_vae/beyond/iwae.py
paper-iwae: $(VENV)/ready
	$(IWAE) --epochs 240 --logdir runs/paper_iwae_equal/k1_0
	$(IWAE) --epochs 240 --samples 5 --logdir runs/paper_iwae_equal/k5_0
	$(IWAE) --epochs 240 --samples 5 --objective vae --logdir runs/paper_iwae_equal/vae5_0
	$(IWAE) --epochs 240 --seed 1 --logdir runs/paper_iwae_equal/k1_1
	$(IWAE) --epochs 240 --samples 5 --seed 1 --logdir runs/paper_iwae_equal/k5_1
	$(IWAE) --epochs 240 --samples 5 --objective vae --seed 1 --logdir runs/paper_iwae_equal/vae5_1
	$(IWAE) --epochs 240 --samples 50 --logdir runs/paper_iwae_equal/k50_0
	$(IWAE) --epochs 240 --samples 50 --objective dreg --logdir runs/paper_iwae_equal/dreg50_0
	$(IWAE) --epochs 240 --samples 50 --objective vae --logdir runs/paper_iwae_equal/vae50_0
	$(IWAE) --schedule paper --batch-size 20 --epochs 3280 --logdir runs/paper_iwae/schedule
	$(IWAE) --logdir runs/paper_iwae/k1
	$(IWAE) --samples 5 --start-from runs/paper_iwae/k1 --epochs 250 --logdir runs/paper_iwae/k5
	$(IWAE) --samples 5 --start-from runs/paper_iwae/k5 --epochs 300 --logdir runs/paper_iwae/k5_more
	$(IWAE) --samples 5 --start-from runs/paper_iwae/k5_more --epochs 80 --learning-rate 3e-4 --logdir runs/paper_iwae/k5_last
	$(IWAE) --samples 50 --start-from runs/paper_iwae/k5_last --epochs 60 --learning-rate 3e-4 --logdir runs/paper_iwae/k50
	$(IWAE) --samples 5 --objective vae --start-from runs/paper_iwae/k1 --epochs 80 --learning-rate 3e-4 --logdir runs/paper_iwae/vae5
	$(IWAE) --samples 50 --objective vae --start-from runs/paper_iwae/vae5 --epochs 60 --learning-rate 3e-4 --logdir runs/paper_iwae/vae50

# Cremer et al. 2018, table 2, on the first of those models: on test images, and on training images as they do
paper-cremer: $(VENV)/ready
	$(BIN)/python lecture10_vae/beyond/cremer.py
	$(BIN)/python lecture10_vae/beyond/cremer.py --part train --first 1000 --logdir runs/paper_cremer_train

# Kingma and Welling 2014, figure 2
paper-aevb: $(VENV)/ready
	$(BIN)/python lecture10_vae/beyond/aevb.py

# Higgins et al. 2017, Alemi et al. 2018, Sonderby et al. 2016
paper-beta: $(VENV)/ready
	$(BIN)/python lecture10_vae/beyond/rate_distortion.py

# Blundell et al. 2015, tables 1 and 2
paper-bbb: $(VENV)/ready
	$(BIN)/python lecture10_vae/beyond/bayes_by_backprop.py --grid --epochs 12 --logdir runs/paper_bbb_grid
	$(BIN)/python lecture10_vae/beyond/bayes_by_backprop.py

# A parameter server and two processes that train, on this machine, for two minutes
cluster: $(VENV)/ready
	@$(BIN)/python lecture10_vae/beyond/local_cluster.py

# Opens the notes in the browser, in the system's language; they are made already, and need no environment.
notes:
	@echo "English: $(CURDIR)/lectures/index.html"
	@echo "中文:    $(CURDIR)/lectures/index.zh.html"
	@$(or $(PYTHON),python3) -m webbrowser -t "file://$(CURDIR)/lectures/$(if \
		$(filter zh%,$(or $(LC_ALL),$(LC_MESSAGES),$(LANG))),index.zh.html,index.html)" >/dev/null

# The notes and the READMEs, from templates, scripts and what was measured: an hour on two cores, most of it for five
# seeds. The scripts' runs are in a folder of their own, where none are yet.
lectures: $(VENV)/authors
	@test ! -e runs/lectures || { echo "runs/lectures has the runs of an earlier time: move or delete it."; exit 1; }
	set -e; for script in $(filter-out amortized_inference,$(SCRIPTS)); do \
		$(BIN)/python lecture10_vae/$$script.py --logdir runs/lectures/$$script; done
	$(BIN)/python lecture10_vae/amortized_inference.py --vae-run runs/lectures/vae --logdir runs/lectures/amortized_inference
	$(BIN)/python lecture10_vae/lower_bound.py --full-covariance --logdir runs/lectures/lower_bound_full
	$(BIN)/python lecture10_vae/regression.py --learn-stddev --logdir runs/lectures/regression_stddev
	$(BIN)/python -m lectures.source.build

# The exercises, with what is right already: make exercises ARGS="vae --hint 2"
exercises: $(VENV)/ready
	@$(BIN)/python lectures/exercises/check.py $(ARGS)

# What the notes say of more than one seed; a seed that has been measured is kept
experiments: $(VENV)/ready
	set -e; for experiment in $(EXPERIMENTS); do $(BIN)/python lecture10_vae/beyond/experiments/$$experiment.py; done

# The notebooks' kernels want test processes that have done nothing else: after other tests, a reply got lost.
# By worksteal a file's tests stay in one process, which trains what they share once, until another has nothing to do.
test: $(VENV)/authors
	$(BIN)/python -m pytest --numprocesses 2 --dist worksteal --ignore-glob 'tests/test_notebooks*.py'
	$(BIN)/python -m pytest --numprocesses 2 --dist worksteal tests/test_notebooks*.py

test-slow: $(VENV)/authors
	$(BIN)/python -m pytest --numprocesses 2 -m slow

# Kills at random moments of what resumes, for some minutes
soak: $(VENV)/authors
	$(BIN)/python -m pytest tests/soak.py

# Versions of all packages, in uv.lock and constraints.txt, after a change in pyproject.toml; uv must be there
lock:
	uv lock
	(echo "# Versions of all that pip brings along, known to work together: made by make lock from uv.lock."; \
		uv export --frozen --all-extras --no-hashes --no-emit-project --no-annotate --no-header) > constraints.txt

# Today's code with the newest TensorFlow there is, pre-releases included: what breaks first?
canary:
	$(PYTHON) -m venv --clear .venv-canary
	.venv-canary/bin/python -m pip install --quiet -e .[authors]
	.venv-canary/bin/python -m pip install --quiet --upgrade --pre tensorflow tensorflow-probability tf-keras numpy
	.venv-canary/bin/python -m pip list | grep -iE '^(tensorflow|tf|numpy)'
	.venv-canary/bin/python -m pytest --exitfirst tests/test_maintaining.py tests/test_each_batch.py tests/test_vae.py

check: $(VENV)/authors
	$(BIN)/python -m ruff format --check
	$(BIN)/python -m ruff check

format: $(VENV)/authors
	$(BIN)/python -m ruff format
	$(BIN)/python -m ruff check --fix

# Each contender has an environment of its own; they take 3 GB and some minutes, once. Measuring takes about 20 minutes on
# two cores, which should do nothing else; with another number of rounds: .venv/bin/python benchmarks/run.py --rounds 5
bench: $(VENV)/authors $(foreach peer,torch jax keras,benchmarks/.venv-$(peer)/ready)
	$(BIN)/python benchmarks/run.py

benchmarks/.venv-%/ready: benchmarks/requirements-%.txt
	$(PYTHON) -m venv --clear $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	touch $@

tensorboard: $(VENV)/ready
	@$(BIN)/python lecture10_vae/show_runs.py

# TensorBoard's pictures in the notes, taken in a real browser: Chromium or Chrome must be there.
screenshots: $(VENV)/authors
	$(BIN)/python -m lectures.source.screenshots

# Runs each notebook from a fresh kernel, keeps what it shows, and makes the Chinese notebooks of that.
notebooks: $(VENV)/authors
	$(BIN)/python -m lectures.source.refresh_notebooks
	$(BIN)/python -m lectures.source.translate_notebooks

jupyter: $(VENV)/ready
	$(BIN)/python -m jupyterlab --LabApp.default_url=/lab/tree/notebooks --KernelManager.transport_encryption=auto \
		--LabApp.app_settings_dir=$(CURDIR)/notebooks/settings $(if $(filter 0,$(shell id -u)),--allow-root)

$(VENV)/ready: requirements.txt constraints.txt pyproject.toml $(ANEW)
	@$(PYTHON) -c '$(RIGHT)' 2>/dev/null || { echo "Python 3.11, 3.12 or 3.13 with its venv module is needed." \
		"Install one (Debian, Ubuntu: apt install python3-venv), or name it: make PYTHON=/path/to/python"; exit 1; }
	@$(BIN)/python -c '$(RIGHT)' 2>/dev/null || $(PYTHON) -m venv --clear $(VENV)
	@echo "Installing into $(VENV): about 850 MB to download, one to five minutes, once."
	@$(INSTALL) -r requirements.txt
	@printf "%s " "$(CURDIR)" > $@

anew:

# What tests and texts need, into the same environment
$(VENV)/authors: $(VENV)/ready requirements-authors.txt
	@$(INSTALL) -r requirements-authors.txt
	@touch $@
