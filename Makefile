# The one front door. A machine needs Python 3.11 or later, make, and the package registries
# (PyPI; Maven Central once, for Kafka's jars); everything else is fetched into this folder or ~/.cache.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

UV_VERSION := 0.13.9
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3 python; do \
	  command -v $$p >/dev/null && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
UV := .uv/bin/uv
# The registries are enough: no interpreter is downloaded from elsewhere.
export UV_PYTHON_DOWNLOADS := never
BIN := .venv/bin

# Options of the commands below, such as ARGS="--gpus 200".
ARGS ?=
SECONDS_OF_CHAOS ?= 600
SEED ?= 1

.PHONY: help up test browser check bench chaos clean

help:
	@echo 'make up      everything on this machine, with a simulated fleet (Ctrl-C stops it); ARGS="--gpus 200"'
	@echo 'make test    all tests, on a real Kafka and a real PostgreSQL; ARGS="tests/unit"'
	@echo 'make browser the page in a real Chromium (Debian; installed if absent)'
	@echo 'make check   style, types and import layers'
	@echo 'make bench   messages a second and their cost, beside other ways to do it'
	@echo 'make chaos   faults on real servers, seeded; SECONDS_OF_CHAOS=600 SEED=1'
	@echo 'make clean   remove what make fetched into this folder; data stays'

up: .venv/.synced
	@exec $(BIN)/gpu-health up $(ARGS)

test: .venv/.synced
	$(BIN)/pytest $(ARGS)

browser: .venv/.synced
	@command -v chromium >/dev/null || { apt-get update -qq && \
	    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null; } || \
	    { echo 'chromium is needed: as root, apt-get install chromium' >&2; exit 1; }
	$(UV) sync --frozen --quiet --group browser
	$(BIN)/pytest -m browser tests/browser $(ARGS)

check: .venv/.synced
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: .venv/.synced
	$(BIN)/python -m tests.bench $(ARGS)

chaos: .venv/.synced
	$(BIN)/python -m tests.chaos --seconds $(SECONDS_OF_CHAOS) --seed $(SEED) $(ARGS)

clean:
	rm -rf .uv .venv

.venv/.synced: pyproject.toml uv.lock $(UV)
	$(UV) sync --frozen --quiet --python "$$(command -v $(PYTHON))"
	@touch $@

# A Python without ensurepip (Debian's, without python3-venv) cannot make an environment that has pip.
$(UV):
	@test -n "$(PYTHON)" || { echo 'Python 3.11 or later is needed: make PYTHON=/path/to/python3' >&2; exit 1; }
	@mkdir -p .uv/bin
	@if $(PYTHON) -m venv --clear .uv/python >/dev/null 2>&1; then \
	    .uv/python/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION); \
	    ln -sf ../python/bin/uv $@; \
	elif $(PYTHON) -m pip --version >/dev/null 2>&1; then \
	    $(PYTHON) -m pip install --quiet --disable-pip-version-check --target .uv/packages uv==$(UV_VERSION); \
	    ln -sf ../packages/bin/uv $@; \
	else \
	    echo 'neither venv nor pip works with $(PYTHON): install python3-venv or python3-pip' >&2; exit 1; \
	fi
