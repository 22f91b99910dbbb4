# Longshore's tasks. `make` alone lists them.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup lint test demo up down bench clean

PYTHON ?= python3
# uv from the PATH, or our own copy of it beside the checkout
UV := $(shell command -v uv 2>/dev/null || echo .tools/bin/uv)
BIN := .venv/bin
PYTEST := $(BIN)/pytest

help: ## show this list
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 16

# What is made on the way goes to stderr: the stdout of `make demo ARGS="-o json"` is one object.
.tools/bin/uv:
	@$(PYTHON) -m venv .tools >&2
	@.tools/bin/python -m pip install --quiet --disable-pip-version-check uv==0.13.9 >&2

setup: .venv/.installed ## make .venv with everything in it, as uv.lock says
	@:

# Compiled once here, and not by every process of the first stack at the same time.
.venv/.installed: uv.lock pyproject.toml | $(filter .tools/bin/uv,$(UV))
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Longshore needs Python 3.11 or newer: set PYTHON=…")'
	@UV_PYTHON_DOWNLOADS=never $(UV) sync --frozen --compile-bytecode >&2
	@touch $@

lint: setup ## ruff, mypy, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Two passes: what starts a whole stack of its own runs alone, the rest two at a time. Both run even if the first fails.
test: setup ## all tests
	@status=0; \
	$(PYTEST) -n 2 --dist loadgroup -m "not stack and not slow" || status=1; \
	$(PYTEST) -m "stack or slow" || status=1; \
	exit $$status

demo: setup ## the guided tour; make demo ARGS="…" passes options on
	@$(BIN)/longshore demo $(ARGS)

up: setup ## start the embedded stack
	$(BIN)/longshore up

down: setup ## stop it; the data stays
	$(BIN)/longshore down

bench: setup ## benchmarks, each against a named reference
	@status=0; for file in bench/bench_*.py; do echo "== $$file"; $(BIN)/python "$$file" || status=1; done; exit $$status

clean: ## remove what builds and tests leave; the environment and the stack's data stay
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -not -path './.venv/*' -prune -exec rm -rf {} +
