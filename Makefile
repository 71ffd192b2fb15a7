# Every target installs what it needs. Python 3.11+, Node 20+ and make are all that must be there.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3
JOBS ?= 2
BIN := .venv/bin
UV := .uv/bin/uv
LOCK := $(UV) pip compile --quiet --universal --generate-hashes --python-version 3.11

.PHONY: help
help:  ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

.PHONY: demo
demo: install  ## Five orders on a local chain, from ad to end, every balance checked
	@$(BIN)/otc demo

.PHONY: up
up: install  ## Database, chain, contracts, API and workers, until Ctrl-C
	@$(BIN)/otc up

.PHONY: test
test: lint test-contracts test-python  ## Everything that must pass: lint, types, contracts, Python

.PHONY: check
check: test bench-gas-check  ## Every gate: the tests, and no rise of gas

.PHONY: lint
lint: install  ## Style, types, layers, and that generated files are up to date
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python scripts/compile.py --check
	$(BIN)/python tests/vectors/policy_model.py --check

.PHONY: test-contracts
test-contracts: install  ## Contracts in forge
	$(BIN)/python scripts/forge.py test

.PHONY: test-python
test-python: install  ## Everything in Python, on real databases and chains
	$(BIN)/pytest -n $(JOBS)

SEEDS ?= 100
FROM ?= 0
.PHONY: simulate
simulate: install  ## SEEDS worlds from seed FROM on: faults, lies, deaths and reorgs; see docs/simulation.md
	$(BIN)/python -m tests.simulation --seeds $(SEEDS) --from $(FROM) --jobs $(JOBS) $(if $(PLANT),--plant $(PLANT))

.PHONY: brownie
brownie: .venv-brownie/done node_modules/done  ## Brownie's tests; then scripts/brownie console, run deploy, ...
	@ln -sf ../../scripts/brownie .venv-brownie/bin/brownie
	scripts/brownie test

.PHONY: safe
safe: .venv-safe/done node_modules/done  ## Panel and treasury as Safes, tested; then .venv-safe/bin/python scripts/panel.py
	@printf '%s\n' "$(CURDIR)" "$(CURDIR)/sdk" > $$(.venv-safe/bin/python -c 'import site; print(site.getsitepackages()[0])')/otc.pth
	.venv-safe/bin/pytest tests/safe

.PHONY: prove
prove: install .venv-audit/done  ## Long: invariants at 1,024 x 64, proofs with planted bugs, slither, coverage, mutants
	FOUNDRY_PROFILE=prove $(BIN)/python scripts/forge.py test
	.venv-audit/bin/python scripts/prove.py
	.venv-audit/bin/python scripts/prove.py --planted
	.venv-audit/bin/python scripts/slither.py
	$(BIN)/python scripts/contract_coverage.py
	$(BIN)/python scripts/mutate.py --jobs $(JOBS)

.PHONY: prove-short
prove-short: install .venv-audit/done  ## The same in minutes: the quick proofs, slither, coverage, every fortieth mutant
	.venv-audit/bin/python scripts/prove.py --quick
	.venv-audit/bin/python scripts/slither.py
	$(BIN)/python scripts/contract_coverage.py
	$(BIN)/python scripts/mutate.py --jobs $(JOBS) --every 40 --least 90

.PHONY: coverage
coverage: install  ## That the tests reach every line and branch of the contracts
	$(BIN)/python scripts/contract_coverage.py

.PHONY: bench-gas
bench-gas: install  ## Gas of every verb, into benchmarks/results/gas.json
	$(BIN)/python benchmarks/gas.py

.PHONY: bench-sending
bench-sending: install  ## Settlements a second, and signature to broadcast, into benchmarks/results/sending.json
	$(BIN)/python benchmarks/sending.py

.PHONY: bench-watching
bench-watching: install  ## Backfill, latency and memory of the watcher, into benchmarks/results/watching.json
	$(BIN)/python benchmarks/watching.py

.PHONY: bench-gas-check
bench-gas-check: install  ## That no verb costs more gas than committed
	$(BIN)/python benchmarks/gas.py --check

.PHONY: format
format: install  ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: artifacts
artifacts: install  ## Compile the contracts into the SDK's artifacts
	$(BIN)/python scripts/compile.py

.PHONY: install
install: .venv/done node_modules/done  ## Install the Python and Node packages into this folder

.uv/done: requirements/uv.txt
	@echo "installing uv into .uv"
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed" if sys.version_info < (3, 11) else 0)'
	@$(PYTHON) -m venv .uv
	@.uv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
	@touch $@

.venv/done: .uv/done requirements/dev.txt pyproject.toml
	@echo "installing the Python packages into .venv"
	@$(UV) venv --quiet --allow-existing --python $$(.uv/bin/python -c 'import sys; print(sys.executable)') .venv
	@$(UV) pip sync --quiet --python .venv --require-hashes requirements/dev.txt
	@$(UV) pip install --quiet --python .venv --no-deps --no-build-isolation --editable .
	@touch $@

# Brownie and ape-safe agree neither with each other nor with the rest.
.venv-%/done: .uv/done requirements/%.txt
	@echo "installing the packages of $* into .venv-$*"
	@$(UV) venv --quiet --allow-existing --python $$(.uv/bin/python -c 'import sys; print(sys.executable)') .venv-$*
	@$(UV) pip sync --quiet --python .venv-$* --require-hashes requirements/$*.txt
	@touch $@

node_modules/done: package.json package-lock.json
	@echo "installing the Node packages into node_modules"
	@npm ci --silent --no-audit --no-fund
	@touch $@

.PHONY: lock
lock: .uv/done  ## Lock the Python dependencies anew
	echo uv | $(LOCK) - -o requirements/uv.txt
	$(LOCK) pyproject.toml -o requirements/runtime.txt
	$(LOCK) pyproject.toml --extra awskms --extra gcpkms -o requirements/kms.txt
	$(LOCK) pyproject.toml --extra awskms --extra gcpkms --group dev -o requirements/dev.txt
	$(LOCK) --group brownie -o requirements/brownie.txt
	$(LOCK) --group safe -o requirements/safe.txt
	$(LOCK) --group audit -o requirements/audit.txt

.PHONY: clean
clean:  ## Remove everything that was installed, built or left by a run
	rm -rf .uv .venv .venv-brownie .venv-safe .venv-audit node_modules build .otc .mypy_cache .ruff_cache .pytest_cache .hypothesis
