# The only commands a newcomer needs. `make help` lists them.
#
# Nothing is installed outside this folder, apart from the caches of pip, uv and npm under HOME. Each set-up step leaves a
# stamp that depends on the lock file it was made from, so a second `make test` sets up nothing.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

BIN := .venv/bin
INSTALLED := .venv/.installed
NODES := node_modules/.installed
ARGS ?=

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export UV_PYTHON_DOWNLOADS := never
# An activated environment elsewhere must not be the one that is changed.
unexport VIRTUAL_ENV PYTHONPATH PYTHONHOME
# Nor may every process compile what it imports: the tests start hundreds of them.
unexport PYTHONDONTWRITEBYTECODE
# uv does not read pip's settings; a machine that names its package index to pip means uv too.
ifdef PIP_INDEX_URL
export UV_DEFAULT_INDEX ?= $(PIP_INDEX_URL)
endif
ifdef PIP_EXTRA_INDEX_URL
export UV_INDEX ?= $(PIP_EXTRA_INDEX_URL)
endif

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: demo
demo: $(INSTALLED) ## the main job, end to end, on the simulated chain; leaves nothing running
	@$(BIN)/penstock demo

.PHONY: test
test: $(INSTALLED) nodes ## the whole test suite, real nodes included; ARGS="-k bitmart" narrows it
	@$(BIN)/pytest -n 2 --dist loadgroup $(ARGS)

# One after the other: they race, wait for leases and kill servers, and would disturb each other.
LONG := test_edgex_beside_others test_migrate test_many_processes test_failover test_race

.PHONY: test-long
test-long: $(INSTALLED) nodes ## what `make test` has in short form, in full: races, failovers, many processes; takes long
	@PENSTOCK_LONG=1 $(BIN)/pytest -v --durations 0 --durations-min 5 $(LONG:%=tests/acceptance/%.py) $(ARGS)

.PHONY: check
check: $(INSTALLED) ## format, lint, types, import contracts, house rules
	@echo "check: format";  $(BIN)/ruff format --check --quiet .
	@echo "check: lint";    $(BIN)/ruff check --quiet .
	@echo "check: types";   $(BIN)/basedpyright
	@echo "check: imports"; $(BIN)/lint-imports --no-cache
	@echo "check: house rules"; $(BIN)/pytest -q tests/tidy

.PHONY: fix
fix: $(INSTALLED) ## format, and mend what the linter can mend
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

# The sizes of docs/bench.md; the figures for millions: make bench BENCH_STORED=5000000 BENCH_TAKEN=1000000
BENCH_SECONDS ?= 10
BENCH_STORED ?= 200000
BENCH_TAKEN ?= 100000

.PHONY: bench
bench: $(INSTALLED) ## the benchmarks, one JSON line each, in some ten minutes
	@failed=0; \
	run() { $(BIN)/penstock bench "$$@" || failed=1; }; \
	run start; \
	run intake --seconds $(BENCH_SECONDS) --clients 64; \
	run intake --seconds $(BENCH_SECONDS) --clients 256 --database postgresql:; \
	run intake --seconds $(BENCH_SECONDS) --clients 32 --database postgresql:; \
	run latency --seconds $(BENCH_SECONDS); \
	run overload --seconds $(BENCH_SECONDS); \
	run memory --withdrawals $(BENCH_TAKEN); \
	run intake --seconds $(BENCH_SECONDS) --stored $(BENCH_STORED); \
	run intake --seconds $(BENCH_SECONDS) --stored $(BENCH_STORED) --database postgresql:; \
	run reads --seconds $(BENCH_SECONDS) --stored $(BENCH_STORED); \
	run reads --seconds $(BENCH_SECONDS) --stored $(BENCH_STORED) --database postgresql:; \
	exit $$failed

COMPILE = $(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 \
	--custom-compile-command "make lock" $(ARGS)

.PHONY: lock
lock: $(INSTALLED) ## renew the lock files; ARGS="--upgrade" takes newer versions
	@echo "lock: requirements/uv.txt";  $(COMPILE) requirements/uv.in -o requirements/uv.txt
	@echo "lock: requirements/dev.txt"; $(COMPILE) pyproject.toml requirements/dev.in -o requirements/dev.txt
	@echo "lock: requirements/run.txt"; $(COMPILE) pyproject.toml -c requirements/dev.txt -o requirements/run.txt
	@echo "lock: package-lock.json";    PATH="$(CURDIR)/$(BIN):$$PATH" npm install --package-lock-only --silent

.PHONY: fresh
fresh: ## what a newcomer and the CI see: clone the last commit, empty home, make demo, .ci/run
	@.ci/fresh

.PHONY: clean
clean: ## remove the environment, the nodes and all caches of this folder
	rm -rf .venv node_modules build dist .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# ---- set-up ---------------------------------------------------------------------------------------------------------

# 3.11 first: it is what the locks are made for. A name on PATH is not enough, it must run and be able to make an environment.
.venv/bin/python:
	@for python in "$$PYTHON" python3.11 python3.12 python3.13 python3; do \
		[ -n "$$python" ] || continue; \
		"$$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
		echo "set-up: .venv with $$("$$python" --version)"; \
		exec "$$python" -m venv .venv; \
	done; \
	echo "set-up: Penstock needs Python 3.11 or newer, with its venv module; none was found on PATH." >&2; \
	echo "        Name one yourself: make PYTHON=/path/to/python3.11 ..." >&2; \
	exit 1

.venv/.uv: requirements/uv.txt | .venv/bin/python
	@echo "set-up: the installer (uv)"
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(BIN)/python -m ensurepip >/dev/null
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements/uv.txt
	@touch $@

.venv/.packages: requirements/dev.txt .venv/.uv
	@echo "set-up: $$(grep -c '==' requirements/dev.txt) locked packages; the first time this takes a minute"
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements/dev.txt
	@rm -f $(INSTALLED)
	@touch $@

$(INSTALLED): pyproject.toml .venv/.packages
	@echo "set-up: penstock itself, from src"
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

# Node and npm come from a wheel in .venv. Not `npm ci`: it refuses a lock file in which a package of another platform is
# missing. Versions and hashes are those of the lock file either way. That the node runs is asked of the node itself, because
# npm drops an optional package that it could not get without failing.
.PHONY: nodes
nodes: $(INSTALLED)
	@$(MAKE) -s $(NODES) || { \
		echo "set-up: THE TEST NODES COULD NOT BE INSTALLED. Tests that pay on them will be skipped." >&2; \
		[ -z "$$CI" ]; }

$(NODES): package.json package-lock.json .npmrc .venv/.packages
	@echo "set-up: the test nodes, from package-lock.json"
	@PATH="$(CURDIR)/$(BIN):$$PATH" npm install --no-save --loglevel=error --ignore-scripts
	@PATH="$(CURDIR)/$(BIN):$$PATH" node_modules/.bin/anvil --version | head -n 1
	@touch $@
