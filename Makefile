# Every way to run, test and measure this project. `make` alone lists the targets.
.DEFAULT_GOAL := help
SHELL := bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
WORKERS ?= 2
SEED ?=
RUNS ?= 3

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(STAMP) ## make .venv with everything installed, from the locked versions
$(STAMP): requirements/dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed: make PYTHON=python3.11 setup")'
	@echo "installing the locked dependencies into $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements/dev.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $(STAMP)

demo: setup ## play a shop day and compare every KPI with the sandbox's ledger (ONCE=1 ends afterwards)
	@$(BIN)/hellotext-vtex demo $(if $(ONCE),--once) $(if $(SEED),--seed $(SEED))

up: setup ## run every process in this terminal
	@$(BIN)/hellotext-vtex up

test: setup browser ## every test, on a real broker (under 8 minutes)
	@$(BIN)/coverage erase
	@$(BIN)/pytest -n $(WORKERS) --dist worksteal -m "not long" --cov --cov-report=term:skip-covered $(ARGS)

verify: setup browser ## make test, and the long ones: chaos at length, three brokers, browsers
	@$(BIN)/pytest -n $(WORKERS) --dist worksteal $(ARGS)
	@$(MAKE) --no-print-directory chaos
	@$(BIN)/python -m tests.crash.engine.chaos --brokers 3
	@$(BIN)/python -m tests.crash.pipeline.chaos

check: setup ## format, lint, types, import rule, generated files
	@$(BIN)/ruff format --check --quiet . || { echo "run: make format"; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo | tail -n 3
	@$(BIN)/python -m schemas.generate --check
	@$(BIN)/python -m hellotext_vtex.reference --check

format: setup ## format and sort imports
	@$(BIN)/ruff format --quiet . && $(BIN)/ruff check --quiet --fix .

schemas: setup ## write the generated schemas and topic pages
	@$(BIN)/python -m schemas.generate

docs: setup ## write the generated pages: settings, commands, OpenAPI
	@$(BIN)/python -m hellotext_vtex.reference
	@$(BIN)/python -m connectors.pixel.openapi

pixel: ## build pixel.js and checkout.js with the pinned tool (Node)
	@cd connectors/pixel/client && npm ci --silent --no-fund --no-audit && npm run --silent build

browser: ## have Chromium for the browser tests, where apt can install it
	@command -v chromium >/dev/null || [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null \
	|| (apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium) >/dev/null 2>&1 \
	|| echo "chromium could not be installed: the browser tests will say so"

bench: setup ## measure beside the peers, in one run; writes bench/results/latest.json
	@$(BIN)/python -m bench --runs $(RUNS) $(ARGS)

chaos: setup ## kill, freeze and restart workers while events flow (SEED=n repeats a run)
	@$(BIN)/python -m tests.crash.engine.chaos $(if $(SEED),--seed $(SEED)) $(ARGS)

lock: setup ## resolve the locked versions anew
	@$(BIN)/pip install --quiet pip-tools && $(BIN)/pip-compile --quiet --generate-hashes --allow-unsafe --strip-extras --no-header --no-emit-find-links --no-emit-index-url -o requirements/runtime.lock pyproject.toml \
	&& $(BIN)/pip-compile --quiet --generate-hashes --allow-unsafe --strip-extras --no-header --no-emit-find-links --no-emit-index-url --extra dev -c requirements/runtime.lock -o requirements/dev.lock pyproject.toml

clean: ## remove what was made here: state, caches, results of tests
	@rm -rf .state .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage* htmlcov

.PHONY: help setup demo up test verify check format schemas docs pixel browser bench chaos lock clean
