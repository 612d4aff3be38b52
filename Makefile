# `make` lists the targets. Everything lives in .venv; the lock's hashes are checked on every install.
PYTHON ?= python3
BIN := .venv/bin
UV := $(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode --constraint requirements.lock
RUN := $(BIN)/tapebook
# Three processes for two cores, as many tests wait. A file stays in one of them, and the slow ones are first
# (tests/conftest.py). nbval is for processes of its own; here it would only cost seconds of imports.
TEST = $(BIN)/python -m pytest -q -n 3 --dist loadfile --no-loadscope-reorder -p no:nbval

# A process that starts afresh would compile every file of ours again: hundreds of them in each of many tests.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo test kernels lab dashboards lint format bench lock clean

help:  ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.venv/uv: requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and f"tapebook needs Python 3.11 or newer, found {sys.version.split()[0]}: try make PYTHON=python3.12 ...")'
	@echo "setting up .venv ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@sed -n '/^uv==/,/[^\\]$$/p' requirements.lock > .venv/uv.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r .venv/uv.txt
	@touch $@

.venv/core: .venv/uv pyproject.toml
	@echo "installing what the desk needs (about 160 packages, hashes checked) ..."
	@$(UV) --editable .
	@touch $@

.venv/all: .venv/core
	@echo "installing what the tests need ..."
	@$(UV) --editable '.[team,sources,documents,keyring,dev]'
	@touch $@

demo: .venv/core  ## load real data, backtest, write two reports, say where they are
	@$(RUN) demo

test: .venv/all  ## every check and every test
	@$(MAKE) --no-print-directory -j 2 lint kernels
	@$(TEST)

kernels: .venv/all  # compiled once, beside the checks, and not by each of the processes that test
	@$(BIN)/python -m pytest --collect-only -qq -p no:nbval >/dev/null

lab: .venv/core  ## JupyterLab on notebooks/
	@$(BIN)/jupyter lab --notebook-dir=notebooks $$([ "$$(id -u)" = 0 ] && echo --allow-root)

dashboards: .venv/core  ## the dashboards, in a browser: every run, for yourself
	@$(RUN) dashboards --all

lint: .venv/all  ## format, style, types, floors
	@$(BIN)/ruff format --check --quiet src tests benchmarks && $(BIN)/ruff check --quiet src tests benchmarks
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

format: .venv/all  ## put the code in shape
	@$(BIN)/ruff check --fix --quiet src tests benchmarks; $(BIN)/ruff format --quiet src tests benchmarks
	@$(BIN)/nbstripout --keep-id $$(git ls-files '*.ipynb')

bench: .venv/all  ## ratios against the peers, measured now on this machine
	@for f in benchmarks/bench_*.py; do echo "== $$f"; $(BIN)/python $$f || exit 1; done

lock: .venv/uv  ## pin every dependency again
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --all-extras \
	  --python-version 3.11 --no-annotate --no-header pyproject.toml -o requirements.lock

clean:  ## remove .venv, the lake, the reports: everything that was made here
	@rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks
	@find data reports -mindepth 1 ! -name README.md -delete
