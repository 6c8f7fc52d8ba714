# Everything a fresh machine needs is Python 3.11 or later, make and a package index.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
MINUTES ?= 3

.PHONY: setup quickstart check test test-all docs clean

# A stamp names what is installed; it is older than these files when something has to be installed again.
$(VENV)/base.stamp: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --constraint constraints.txt --editable .
	touch $@

$(VENV)/dev.stamp: $(VENV)/base.stamp
	$(PIP) install --quiet --constraint constraints.txt --editable '.[dev,cluster,lora,search]'
	touch $@

setup: $(VENV)/dev.stamp  ## .venv with bertsmith and every development tool

quickstart: $(VENV)/base.stamp  ## the main job, on real text, without a download
	$(BIN)/bertsmith quickstart --minutes $(MINUTES) --overwrite

check: $(VENV)/dev.stamp  ## formatting, lint, types, the layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: $(VENV)/dev.stamp  ## the tests, in one process per core
	$(BIN)/python -m pytest -n auto --dist loadfile

test-all: $(VENV)/dev.stamp  ## the tests, and those that take long: full matrices, load, long interruptions
	$(BIN)/python -m pytest -n auto --dist loadfile --all

docs: $(VENV)/base.stamp  ## docs/reference.md from the schemas of the verbs
	$(BIN)/python -m bertsmith.cli.reference docs/reference.md

clean:  ## what the targets above made
	rm -rf $(VENV) build dist src/*.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache runs/quickstart
