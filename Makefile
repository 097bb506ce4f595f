# Each target is one command on a fresh clone: it makes .venv and installs what it needs.
PYTHON ?= python3
BIN := .venv/bin
# Two threads that wait for each other's small products are slower than one: tests are spread over processes instead.
WORKERS ?= 2
PYTEST := $(BIN)/python -m pytest -q -n $(WORKERS) --dist loadgroup

.PHONY: demo test test-all photos fuzz check lower-bounds clean
.DEFAULT_GOAL := demo

.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -c constraints.txt torch -e '.[dev]'
	touch $@

demo: .venv/ready
	$(BIN)/pointloom demo --out demo

# What one runs while working: at most three minutes on two free cores.
test: .venv/ready
	$(PYTEST) -m 'not photos and not slow'

# Everything, notebooks too; of the quick tests the share of lines that they run.
test-all: .venv/ready
	$(PYTEST) -m 'not photos and not slow' --cov --cov-report=term
	$(PYTEST) -m 'photos or slow' --nbmake tests notebooks

photos: .venv/ready
	$(PYTEST) -m photos

# Damaged files to every reader, as many as one likes; another SEED gives other damage. CI runs 200 each.
FILES ?= 5000
SEED ?= 1
fuzz: .venv/ready
	$(PYTEST) tests/fuzz/test_readers.py --fuzz-count $(FILES) --fuzz-seed $(SEED)

check: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports

# The oldest dependencies that the package's metadata allow, in an environment of their own.
.venv-lower/ready: pyproject.toml tests/lower_bounds.py
	$(PYTHON) -m venv .venv-lower
	.venv-lower/bin/python -m pip install --quiet --upgrade pip
	.venv-lower/bin/python tests/lower_bounds.py > .venv-lower/lower.txt
	.venv-lower/bin/python -m pip install --quiet -c .venv-lower/lower.txt -e . pytest pytest-xdist hypothesis
	touch $@

# The tests that touch most of them.
lower-bounds: .venv-lower/ready
	.venv-lower/bin/python -m pytest -q -n $(WORKERS) -m 'not photos and not slow' -W default \
		tests/masks tests/pairs/views tests/pairs/matching tests/pairs/prediction tests/pairs/backends/classical \
		tests/align/bundle tests/align/export tests/align/show

clean:
	rm -rf .venv .venv-lower demo
