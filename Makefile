# Causeway's make targets. They need Python 3.11, 3.12 or 3.13 and nothing else; everything is installed in .venv.
#
#   make demo                  a business day through the whole bridge, on an embedded Postgres
#   make demo ORDERS=file      the same with the orders of a Parquet file
#   make test [ARGS="-k lsn"]  all tests, in random order
#   make lint                  style, types and import rules
#   make bench                 throughput against pg_recvlogical (and Debezium, where Java 17 is)
#   make clean                 removes what the other targets made
#
# Another interpreter: make demo PYTHON=/path/to/python3.12

SHELL := /bin/sh
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

SUPPORTED := import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c '$(SUPPORTED)' >/dev/null 2>&1 && { echo $$p; exit; }; done; echo python3)
JAVA ?= java

# Relative, so that a checkout path may hold spaces.
VENV := .venv
BIN := $(VENV)/bin
# PYTHONPATH and a user's own pip settings for targets must not reach into the environment.
PIP := env -u PYTHONPATH -u PIP_TARGET -u PIP_PREFIX -u PIP_USER $(BIN)/python -m pip --disable-pip-version-check install --quiet
HASHED := $(PIP) --require-hashes
ORDERS ?=
ARGS ?=

.PHONY: help demo test lint format bench debezium requirements clean

help:
	@sed -n '/^#   make/s/^#   //p' Makefile

demo: $(VENV)/installed
	$(BIN)/causeway demo $(if $(ORDERS),--orders "$(ORDERS)") $(ARGS)

test: $(VENV)/dev
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder $(ARGS)

lint: $(VENV)/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m mypy
	$(BIN)/lint-imports

format: $(VENV)/dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/installed
	@if $(JAVA) -version >/dev/null 2>&1; then $(MAKE) --no-print-directory debezium; \
	else echo "no Java runtime: the Debezium engine is left out of the comparison"; fi
	$(BIN)/python -m benchmarks $(ARGS)

debezium: $(VENV)/debezium

$(VENV)/created:
	@$(PYTHON) -c '$(SUPPORTED)' 2>/dev/null || { echo "$(PYTHON) is not a Python 3.11 to 3.13 with venv and ensurepip" \
	"(Debian, Ubuntu: apt install python3-venv). Name another with: make PYTHON=/path/to/python3.12"; exit 1; } >&2
	$(PYTHON) -m venv --clear $(VENV)
	@touch $@

$(VENV)/run: requirements.txt requirements-build.txt $(VENV)/created
	@echo "installing the pinned packages into $(VENV); the first time this takes a minute or two"
	$(HASHED) -r requirements-build.txt -r requirements.txt
	@touch $@

# The wildcard: a new top-level package has to be made known to the editable installation.
$(VENV)/installed: pyproject.toml $(wildcard */__init__.py) $(VENV)/run
	$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/dev: requirements-dev.txt $(VENV)/installed
	$(HASHED) -r requirements-dev.txt
	@touch $@

$(VENV)/debezium: requirements-debezium.txt $(VENV)/installed
	$(HASHED) -r requirements-debezium.txt
	@touch $@

# For maintainers: pin everything anew. Needs pip-compile (pip-tools) on the PATH, under Python 3.11. The files hold no
# index and no host, so that they install from any mirror.
COMPILE := CUSTOM_COMPILE_COMMAND="make requirements" pip-compile --quiet --upgrade --generate-hashes --strip-extras \
	--no-emit-index-url --no-emit-trusted-host --no-emit-find-links
requirements:
	echo "setuptools>=77" | $(COMPILE) --allow-unsafe --output-file requirements-build.txt -
	$(COMPILE) --extra sandbox --output-file requirements.txt pyproject.toml
	$(COMPILE) --extra sandbox --extra dev --constraint requirements.txt --output-file requirements-dev.txt pyproject.toml
	$(COMPILE) --extra sandbox --extra debezium --constraint requirements.txt --output-file requirements-debezium.txt pyproject.toml

clean:
	rm -rf $(VENV) demo build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
