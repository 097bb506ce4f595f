# Each target is one command on a fresh clone: it makes .venv and installs what it needs.
PYTHON ?= python3
BIN := .venv/bin
THREADS := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1

.PHONY: demo test photos check clean
.DEFAULT_GOAL := demo

.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -c constraints.txt torch -e '.[dev]'
	touch $@

demo: .venv/ready
	$(BIN)/pointloom demo --out demo

test: .venv/ready
	$(BIN)/python -m pytest -m 'not photos' -q
	$(BIN)/python -m pytest --nbmake notebooks -q

photos: .venv/ready
	$(BIN)/python -m pytest -m photos -q

check: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports

clean:
	rm -rf .venv demo
