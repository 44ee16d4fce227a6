# make run    a ready page with the sample company        make test   every test whose servers are here
# make check  lint, types, quick tests                     make load   load tests
PYTHON ?= python3.11
BIN := .venv/bin

.PHONY: setup run lint check test load docs lock clean
.DEFAULT_GOAL := run

setup: .venv/installed

.venv/installed: requirements.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 is needed: install it, or say which with make PYTHON=/path/to/python3.11"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --disable-pip-version-check -q -r requirements.lock
	$(BIN)/python -m pip install --disable-pip-version-check -q --no-deps --no-build-isolation -e .
	@touch $@

run: setup
	$(BIN)/assistant serve --ingest --first-user admin

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

check: lint
	$(BIN)/pytest tests/unit -q -n 2

# A file's tests in one process: most files share a server.
test: setup
	$(BIN)/pytest -n 2 --dist loadfile

load: setup
	$(BIN)/python -m tests.load.questions
	$(BIN)/python -m tests.load.streams

docs: setup
	$(BIN)/python -m tests.settings_page
	$(BIN)/python -m tests.pictures pictures

# Pins for pip, made in an empty environment; torch without its build's suffix, so that any index can serve it.
lock:
	rm -rf .venv/lock && $(PYTHON) -m venv .venv/lock
	.venv/lock/bin/python -m pip install -q torch==2.13.0
	.venv/lock/bin/python -m pip install -q ".[dev,postgres,redis,webdav]"
	.venv/lock/bin/python -m pip freeze --exclude local-corporate-assistant \
		| sed -E 's/^(torch==[0-9.]+).*/\1/; /^(nvidia|cuda|triton)/d' > requirements.lock
	rm -rf .venv/lock

clean:
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache dist build
