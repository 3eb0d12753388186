# synth_assets. `make demo` shows everything, `make test` checks everything, `make dev` opens the Dagster UI.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

# Nothing is sent anywhere, and no model is fetched behind one's back.
export DAGSTER_DISABLE_TELEMETRY := 1
export DO_NOT_TRACK := 1
export VLLM_NO_USAGE_STATS := 1
export HF_HUB_OFFLINE := 1
export HF_HUB_DISABLE_TELEMETRY := 1
export GX_ANALYTICS_ENABLED := false
export TOKENIZERS_PARALLELISM := false
export DAGSTER_HOME ?= $(CURDIR)/data/warehouse/dagster

# What the environment depends on. The stamp bears this hash in its name and is written last, so that an
# installation that was broken off is simply done again, and a changed file is noticed.
NEEDS := pyproject.toml constraints.txt
STAMP := $(VENV)/.installed-$(shell cat $(NEEDS) | cksum | cut -d' ' -f1)
# torch's CPU use needs none of them, and vLLM dies over a torchvision of another build.
UNWANTED := torchvision torchaudio torchcodec triton opencv-python-headless

.PHONY: help install demo test dev lint clean-env prerequisites

help:
	@echo "make demo     install, run the embedded recipe through Dagster, print a summary"
	@echo "make dev      the Dagster UI on this machine, with schedule and daemons"
	@echo "make test     install, lint, types, import contracts, all tests"
	@echo "make lint     only lint, types and import contracts"
	@echo "make study-NAME   run a study and write data/studies/NAME.json"

install: $(STAMP)

prerequisites:
	@command -v $(PYTHON) >/dev/null || { echo "No $(PYTHON) here. Install Python 3.11 or newer, or run: make PYTHON=/path/to/python"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "$$($(PYTHON) --version) is too old: Python 3.11 or newer is needed. Run: make PYTHON=python3.11"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null \
	  || { echo "$(PYTHON) has no venv module. On Debian and Ubuntu: apt-get install python3-venv"; exit 1; }

$(STAMP): $(NEEDS) | prerequisites
	rm -f $(VENV)/.installed-*
	test -x $(BIN)/python && $(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	@if command -v nvidia-smi >/dev/null && nvidia-smi -L >/dev/null 2>&1; then \
	  echo "A GPU is here: the CUDA build of vLLM is installed."; \
	  $(PIP) install -e '.[gpu,test]'; \
	else \
	  echo "No GPU here: the CPU build of vLLM is installed, about 2 GB."; \
	  $(PIP) install torch==2.13.0; \
	  $(PIP) install --no-deps -r constraints.txt; \
	  $(PIP) install --no-deps --no-build-isolation -e .; \
	  $(PIP) uninstall --yes --quiet $(UNWANTED) 2>/dev/null; \
	fi
	touch $@

demo: install
	$(BIN)/synth-assets demo

dev: install
	$(BIN)/synth-assets dev

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# By file: the tests of a whole run or of a browser share what the first of them made.
test: lint
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

study-%: install
	$(BIN)/synth-assets study $*

clean-env:
	rm -rf $(VENV)
