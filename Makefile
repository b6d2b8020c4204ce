PYTHON ?= python3
BIN := .venv/bin

CLIENTS := together-1 together-2 together-3 maniac

PREFECT_API_URL ?= http://127.0.0.1:4200/api

.PHONY: install demo serve deploy test test-slow test-clients test-postgres prefect-ways check bench

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

test: install .clients/together-3/installed
	$(BIN)/pytest -m 'not slow and not clients'

test-slow: install
	$(BIN)/pytest -m slow

# With the clients of the vendors, each in an environment of its own: they do not go together with each other, or us.
test-clients: install $(CLIENTS:%=.clients/%/installed) .clients/together-js/installed
	$(BIN)/pytest -m clients

.clients/%/installed: tests/clients/environments/%.txt
	$(PYTHON) -m venv .clients/$*
	.clients/$*/bin/pip install --quiet --disable-pip-version-check --requirement $<
	touch $@

.clients/together-js/installed: tests/clients/environments/together-js/package.json
	mkdir -p $(@D)
	cp $< $(@D)
	npm install --prefix $(@D) --silent --no-audit --no-fund
	touch $@

# On a PostgreSQL of its own; Debian's package `postgresql` must be installed.
test-postgres: install
	$(BIN)/python -m tests.postgres $(BIN)/pytest tests/store tests/api

prefect-ways: install
	$(BIN)/pytest -v tests/service/test_prefect.py tests/service/test_deploy.py tests/service/test_process_pool.py

check: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: install
	$(BIN)/python -m bench
