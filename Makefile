# Two commands for a newcomer: `make run` and `make test`. Everything lands in .venv, .cache and .run.

PORT ?= 8887
WORKERS ?= auto
TESTS ?= tests
PYTHON ?=
PREFIX ?=
DESTDIR ?=
# The time of every file in a bundle, so that one commit makes one archive.
export SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 0)

VENV := .venv
BIN := $(VENV)/bin
# Exactly what is locked: pip decides nothing, so it does not matter what an index has by now, nor which pip it is.
INSTALL := -m pip --disable-pip-version-check install --require-hashes --no-deps --only-binary=:all:
PIP := $(BIN)/python $(INSTALL)
PYTEST := $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile

.DEFAULT_GOAL := help
.PHONY: help run install bundle wheel wheels test test-all test-nightly lint types layers bench simulate explore proxies catalogues options layout lock services services-nightly clean
.DELETE_ON_ERROR:

help: ## Show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1|\2/' | column -t -s '|' 2>/dev/null \
		|| grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST)

run: $(VENV)/run.stamp ## Start the daemon with the demo provider and print its address (PORT=8887)
	@exec $(BIN)/python identityd.py demo --port $(PORT)

install: .cache/cyclonedx-bom/installed.txt ## Install for production (PREFIX=/usr/local/identityd-1.2.3)
	@[ -n "$(PREFIX)" ] || { echo "Say where, one folder for each version: make install PREFIX=/usr/local/identityd-1.2.3" >&2; exit 1; }
	@.cache/cyclonedx-bom/bin/python -m release install "$(DESTDIR)$(PREFIX)"

bundle: .cache/cyclonedx-bom/installed.txt ## Make dist/identityd-….tar.gz: unpacks and runs where there is Python, without compiler or network
	@.cache/cyclonedx-bom/bin/python -m release bundle dist

wheel: .cache/hatchling/installed.txt ## Make dist/identityd-….whl, for pip
	@.cache/hatchling/bin/python -m hatchling build --target wheel --directory dist

wheels: .cache/cyclonedx-bom/installed.txt ## Fetch the libraries of a bundle into .cache/wheels
	@.cache/cyclonedx-bom/bin/python -m release wheels

test: $(VENV)/dev.stamp ## Run all tests; says what it skipped and how to get it (TESTS=tests/unit WORKERS=auto)
	@$(PYTEST) $(TESTS)

test-all: $(VENV)/dev.stamp ## Run all tests; a skipped one is a failure
	@$(PYTEST) --no-skips $(TESTS)

test-nightly: $(VENV)/dev.stamp ## Run the tests that need Keycloak, Dex, Traefik, several Cassandra nodes or minutes, which the others leave out
	@$(PYTEST) --no-skips -m nightly $(TESTS)

lint: $(VENV)/dev.stamp ## Check style and formatting
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(VENV)/dev.stamp ## Check types, strictly
	@$(BIN)/mypy

layers: $(VENV)/dev.stamp ## Check who may import whom
	@$(BIN)/lint-imports

bench: $(VENV)/dev.stamp ## Measure, beside a bare memcached get
	@$(BIN)/python -m tests.bench

simulate: $(VENV)/dev.stamp ## Simulate ten million requests of honest browsers, then thieves (REQUESTS=1e7)
	@$(BIN)/python identityd.py sessions simulate --requests $(or $(REQUESTS),1e7)

explore: $(VENV)/dev.stamp ## Visit every interleaving of two messages in flight (minutes)
	@$(BIN)/python -m lab

proxies: $(VENV)/dev.stamp ## Test through the real proxies and print what each carries
	@$(BIN)/python -m tests.proxies

catalogues: $(VENV)/dev.stamp ## Make what the daemon reads of the sentences for people (identity/locale/*.po)
	@for po in identity/locale/*.po; do \
		$(BIN)/pybabel --quiet compile --input-file $$po --output-file $${po%.po}.mo --locale $$(basename $$po .po) || exit 1; \
	done

options: $(VENV)/run.stamp ## Write config.example.ini and the tables of docs/configuration.md from the code
	@$(BIN)/python -m identity.config

layout: $(VENV)/dev.stamp ## Write docs/layout.md, the map of the code, from the code
	@$(BIN)/python -m tests.support.layout

services: ## Install what the suites need: memcached, Cassandra, Chromium, Firefox, proxies, Node 20, OpenID providers
	@.ci/services
	@$(MAKE) --no-print-directory .cache/oidc-provider-mock/installed.txt
	@$(MAKE) --no-print-directory wheels
	@$(MAKE) --no-print-directory .cache/hatchling/installed.txt

services-nightly: services ## Install what test-nightly needs besides: Keycloak, and Dex and Traefik, which take minutes to build
	@.ci/services nightly

lock: .cache/uv/installed.txt ## Renew requirements/*.txt from *.in (dev.txt keeps to run.txt), and the npm lock
	@for name in run dev uv oidc-provider-mock cyclonedx-bom hatchling; do \
		.cache/uv/bin/uv pip compile requirements/$$name.in --output-file requirements/$$name.txt --upgrade --quiet \
			--universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header || exit 1; \
	done
	@cd tests/support/openid && npm install --package-lock-only --omit-lockfile-registry-resolved --no-audit --no-fund

clean: ## Remove what can be made again; the demo's data in .run stays
	rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A name that exists need not run (pyenv's shims do not), so each is tried.
$(BIN)/python:
	@for python in $(PYTHON) python3.13 python3.12 python3.11 python3 none; do \
		if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
			if "$$python" -c 'import ensurepip, venv' 2>/dev/null; then break; fi; bare=$$python; \
		fi; \
	done; \
	if [ "$$python" = none ]; then \
		if [ -n "$$bare" ]; then \
			echo "$$bare has no venv module; on Debian and Ubuntu get it with: apt-get install python3-venv" >&2; \
		else \
			echo "identityd needs Python 3.11 or later, and none of python3.13, python3.12, python3.11, python3 is one;" >&2; \
			echo "install it, or name it: make PYTHON=/path/to/python3" >&2; \
		fi; exit 1; \
	fi; \
	echo "Making $(VENV) with $$("$$python" --version) (once)"; \
	"$$python" -m venv --clear $(VENV)

$(VENV)/run.stamp: requirements/run.txt $(BIN)/python
	@echo "Installing what the daemon needs (once, and when requirements/run.txt changes)"
	@$(PIP) -r requirements/run.txt
	@touch $@

$(VENV)/dev.stamp: requirements/dev.txt $(VENV)/run.stamp
	@echo "Installing what the tests need (once, and when requirements/dev.txt changes)"
	@$(PIP) -r requirements/run.txt -r requirements/dev.txt
	@touch $@

# What is no part of ours has an environment of its own. The copy of the lock says what is in it; the tests compare it.
.cache/%/installed.txt: requirements/%.txt | $(BIN)/python
	@if ! cmp -s $< $@; then \
		echo "Installing $* into .cache/$*"; \
		$(BIN)/python -m venv --clear .cache/$* && .cache/$*/bin/python $(INSTALL) --quiet -r $< && cp $< $@; \
	fi
	@touch $@
