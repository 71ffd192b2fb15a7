# Every target installs what it needs. Python 3.11+, Node 20+ and make are all that must be there.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
UV := .uv/bin/uv
FORGE := $(BIN)/python scripts/forge.py

.PHONY: help
help:  ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

.uv/done: requirements/uv.txt
	$(PYTHON) -m venv .uv
	.uv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
	@touch $@

.venv/done: .uv/done requirements/dev.txt pyproject.toml
	$(UV) venv --quiet --allow-existing --python $$(.uv/bin/python -c 'import sys; print(sys.executable)') .venv
	$(UV) pip sync --quiet --python .venv --require-hashes requirements/dev.txt
	$(UV) pip install --quiet --python .venv --no-deps --no-build-isolation --editable .
	@touch $@

node_modules/done: package.json package-lock.json
	npm ci --silent --no-audit --no-fund
	@touch $@

.PHONY: install
install: .venv/done node_modules/done  ## Install the Python and Node packages into this folder

.PHONY: lock
lock: .uv/done  ## Lock the dependencies anew
	echo uv | $(UV) pip compile --quiet --universal --generate-hashes --python-version 3.11 - -o requirements/uv.txt
	$(UV) pip compile --quiet --universal --generate-hashes --python-version 3.11 pyproject.toml -o requirements/runtime.txt
	$(UV) pip compile --quiet --universal --generate-hashes --python-version 3.11 pyproject.toml --group dev -o requirements/dev.txt

.PHONY: artifacts
artifacts: install  ## Compile the contracts into the SDK's artifacts
	$(BIN)/python scripts/compile.py
