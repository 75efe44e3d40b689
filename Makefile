# Every target does its own set-up: it makes the virtual environment .venv, installs what it needs and runs.
# What to install is listed in pyproject.toml, one extra a target. Files in .venv/stamps record what is done, so
# that nothing is installed twice, and the core is compiled again only when its sources have changed.

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
STAMPS := $(VENV)/stamps
# As many tests at a time as there are processors; ARGS="-n 0" goes back to one.
IN_PARALLEL := -n auto --maxprocesses 4 --dist worksteal
CORE := setup.py pyproject.toml $(wildcard src/*)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help demo test oldest bench grid many estimators peers tables docs lint cross build wheel-test clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(STAMPS)/build $(STAMPS)/plot  ## learn handwritten digits, race NumPy, keep the net, draw demo.png
	$(PY) -m fastmlp demo $(ARGS)

test: $(STAMPS)/build $(STAMPS)/test  ## run the tests; ARGS="-k xor" passes options to pytest
	$(PY) -m pytest tests $(IN_PARALLEL) $(ARGS)

# The oldest scikit-learn has an environment of its own, with the libraries of its time, and the core built in the tree.
oldest: $(STAMPS)/build  ## test the estimators with the oldest scikit-learn that is supported
	$(MAKE) VENV=.venv-oldest .venv-oldest/stamps/oldest
	PYTHONPATH="$(CURDIR)" .venv-oldest/bin/python -m pytest tests/test_drop_in.py tests/test_checkpoints.py tests/test_estimators*.py tests/test_sklearn_models.py $(IN_PARALLEL) $(ARGS)

bench: $(STAMPS)/build $(STAMPS)/bench  ## compare with NumPy into bench/results; QUICK=1: the short form
	$(PY) bench/run.py $(if $(QUICK),--quick) $(ARGS)

grid: $(STAMPS)/build $(STAMPS)/bench  ## look for cliffs over widths and batches; QUICK=1: the short form
	$(PY) bench/grid.py $(if $(QUICK),--quick) $(ARGS)

many: $(STAMPS)/build $(STAMPS)/bench  ## train many nets at once, on one thread and on two; QUICK=1: the short form
	$(PY) bench/many.py $(if $(QUICK),--quick) $(ARGS)

estimators: $(STAMPS)/build $(STAMPS)/bench  ## compare the estimators with scikit-learn's; QUICK=1: the short form
	$(PY) bench/estimators.py $(if $(QUICK),--quick) $(ARGS)
	$(PY) bench/learning.py $(if $(QUICK),--quick) $(ARGS)

# The peers weigh 2 GB, so that they have an environment of their own; fastmlp in it is the one built in the tree.
peers: $(STAMPS)/build  ## compare with PyTorch, JAX and others into bench/results; QUICK=1: the short form
	$(MAKE) VENV=.venv-peers .venv-peers/stamps/peers
	PYTHONPATH="$(CURDIR)" .venv-peers/bin/python bench/peers.py $(if $(QUICK),--quick) $(ARGS)

# So do those of tables, among them the tables themselves.
tables: $(STAMPS)/build  ## compare with boosted trees and other nets on real tables; QUICK=1: the short form
	$(MAKE) VENV=.venv-tables .venv-tables/stamps/bench-tables
	PYTHONPATH="$(CURDIR)" .venv-tables/bin/python bench/tables.py $(if $(QUICK),--quick) $(ARGS)

docs: $(STAMPS)/build $(STAMPS)/docs  ## build the documentation into build/docs, gallery executed; warnings are errors
	$(PY) -m sphinx --fail-on-warning --keep-going -b html docs build/docs $(ARGS)

lint: $(STAMPS)/lint  ## check style, types and spelling
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	PATH="$(CURDIR)/$(VENV)/bin:$$PATH" cython-lint src  # which looks for pycodestyle there
	$(PY) -m mypy
	$(VENV)/bin/codespell

cross: $(STAMPS)/cross  ## compile the core by clang for other processors and systems; warnings are errors
	$(PY) .ci/cross.py

build: $(STAMPS)/build  ## compile the core and install the package in editable form

wheel-test: $(STAMPS)/wheel  ## build sdist and wheel, and test the wheel away from the tree
	rm -rf dist
	$(PY) -m build --outdir dist
	scratch=$$(mktemp -d) && trap 'rm -rf "$$scratch"' EXIT && \
	$(PYTHON) -m venv "$$scratch/venv" && \
	"$$scratch/venv/bin/python" -m pip install "$$(echo dist/*.whl)[test]" && \
	cp -R tests docs src README.md pyproject.toml "$$scratch" && \
	cd "$$scratch" && venv/bin/python -m pytest --import-mode=importlib tests $(IN_PARALLEL)

clean:  ## remove everything that the other targets made
	rm -rf $(VENV) .venv-peers .venv-tables .venv-oldest .data build dist docs/generated docs/gallery *.egg-info fastmlp/*.so demo.png demo.safetensors .pytest_cache .mypy_cache .ruff_cache .benchmarks
	find fastmlp tests bench -name __pycache__ -prune -exec rm -rf {} +

$(VENV)/pyvenv.cfg:
	$(PYTHON) -m venv $(VENV)
	mkdir -p $(STAMPS)

$(STAMPS)/build: $(CORE) | $(VENV)/pyvenv.cfg
	$(PY) -m pip install --editable .
	touch $@

# One extra without the package itself, so that checking style compiles nothing.
$(STAMPS)/%: pyproject.toml | $(VENV)/pyvenv.cfg
	$(PY) -c 'import tomllib; project = tomllib.load(open("pyproject.toml", "rb"))["project"]; \
	print(*project["dependencies"], *project["optional-dependencies"]["$*"], sep="\n")' > $@.txt
	$(PY) -m pip install --requirement $@.txt
	touch $@
