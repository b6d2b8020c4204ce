PYTHON ?= python3
BIN := .venv/bin

PREFECT_API_URL ?= http://127.0.0.1:4200/api

.PHONY: install demo serve deploy test test-slow prefect-ways check bench

install: .venv/installed

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

demo: install
	$(BIN)/assay demo

serve: install
	$(BIN)/assay serve

# To the Prefect server of a service that runs, which has made the same deployments by itself.
deploy: export PREFECT_API_URL := $(PREFECT_API_URL)
deploy: install
	$(BIN)/python -m flows.deploy
	$(BIN)/prefect --no-prompt deploy --all

test: install
	$(BIN)/pytest -m 'not slow'

test-slow: install
	$(BIN)/pytest -m slow

prefect-ways: install
	$(BIN)/pytest -v tests/service/test_prefect.py tests/service/test_deploy.py tests/service/test_process_pool.py

check: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: install
	$(BIN)/python -m bench
