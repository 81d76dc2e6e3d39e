# Everything a person or CI runs here. `make demo` and `make test` need only python3 (3.11 to
# 3.13) and a package index; the environment in .venv is made when it is missing or out of date.
# Tests are shuffled: SEED=1234 repeats an order, whose seed each run prints in its first lines.
PYTHON ?= python3
BIN := .venv/bin
PYTEST := $(BIN)/pytest $(if $(SEED),--randomly-seed=$(SEED))
# two processes for each core, since tests wait for others of their own, and 3 GiB for each
PROCESSES = $(shell $(PYTHON) -c 'import os; gib = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 30; \
  print(max(1, min(2 * os.cpu_count(), gib // 3, 8)))')
PARALLEL = $(PYTEST) --numprocesses $(PROCESSES) --dist worksteal
LONGER := slow or processes or bucket or server or dask or ray or training
# importing TensorFlow or Prefect takes longer than all tests of a room
HEAVY := --ignore tests/training --ignore tests/flows/orchestration --ignore tests/flows/server --ignore tests/flows/alerting --ignore tests/flows/deploying --ignore tests/test_readme.py
READY := .venv/.ready
# Bytecode of the packages is compiled once: TensorFlow then imports in 4 s instead of 19.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo check test test-slow lint format bench release-model lock clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(READY) ## Train on MNIST, judge, export, read a folder, show what came out
	@$(BIN)/digitflow demo

check: $(READY) lint ## Lint, check types and run the tests that take under a second
	$(PARALLEL) $(HEAVY) -m "not ($(LONGER))"

test: $(READY) lint ## Lint, check types and run all tests but the slow ones
	$(PARALLEL) -m "not slow"

test-slow: $(READY) ## Run the slow tests: broken models at the gate, promotions, browsers, clusters, soaks, attacks, the wheel, the README
	$(PYTEST) --numprocesses logical --maxprocesses 2 --dist loadfile -m slow

lint: $(READY) ## Lint, check who may import whom, and check types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy

format: $(READY) ## Put the code into its format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(READY) ## Run the benchmark programs, each prints a table
	@for program in train_vs_seed predict_vs_keras gate; do \
	  $(BIN)/python -m tests.bench.$$program || exit; done

release-model: $(READY) ## Train the model that ships, and judge it (WEIGHTS=folder of a version: keep its weights)
	@$(BIN)/python -m flows.release_model $(WEIGHTS)

lock: $(READY) ## Renew requirements.lock to the newest versions that pyproject.toml allows
	$(BIN)/uv pip compile pyproject.toml --extra train --group dev --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-header --quiet --upgrade --output-file requirements.lock

clean: ## Remove the environment and all caches
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v < (3, 14) \
	  else f"digitflow needs Python 3.11 to 3.13, $(PYTHON) is {v[0]}.{v[1]}: make PYTHON=python3.12 ...")'
	@echo "Making .venv: exact versions with hashes from requirements.lock (a few minutes the first time)"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@# uv does not read pip's configuration: a mirror that is set there has to be handed over
	@index=$$($(BIN)/python -m pip config get global.index-url 2>/dev/null); \
	  index=$${UV_DEFAULT_INDEX:-$${PIP_INDEX_URL:-$$index}}; \
	  if [ -n "$$index" ]; then export UV_DEFAULT_INDEX="$$index"; fi; \
	  $(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes --compile-bytecode requirements.lock && \
	  $(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@
