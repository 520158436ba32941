# Two commands: `make demo` and `make test`. Both make .venv, install pinned versions, and run.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export OMP_NUM_THREADS ?= 1

.PHONY: help demo test quick check lint format clean
help: ## what can be made
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

demo: $(VENV)/.lab ## train, audit, train privately, audit again: writes reticent-demo.html
	$(BIN)/reticent demo $(ARGS)

test: $(VENV)/.dev ## all tests and doctests
	$(BIN)/python -m pytest -n 2 --dist worksteal tests src README.md docs examples $(ARGS)

quick: $(VENV)/.dev ## the tests that take moments
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not slow" tests $(ARGS)

check: lint test ## all that is asked of a change

lint: $(VENV)/.dev ## format, lint, types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.dev ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean: ## remove .venv and caches
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache build dist src/*.egg-info

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "reticent needs Python 3.11 or newer: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet pip==26.3

$(VENV)/.lab: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Installing what the demo needs (the first time: a minute or two) ..."
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[lab]"
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Installing what the tests need (the first time: a minute or two) ..."
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev]"
	@touch $@ $(VENV)/.lab
