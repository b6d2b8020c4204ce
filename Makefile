PYTHON ?= python3
BIN := .venv/bin

CLIENTS := together-1 together-2 together-3 maniac

ifeq ($(origin PREFECT_API_URL),undefined)
PREFECT_API_URL := http://127.0.0.1:4200/api
PREFECT_API_AUTH_STRING ?= $(shell cat "$${ASSAY_HOME:-.assay}/prefect/sign-in" 2>/dev/null)
endif

# Each process would put the assertions of all tests into words anew.
export PYTHONDONTWRITEBYTECODE :=

KILLS ?= 20
FAULTS ?= 1000
SEQUENCES ?= 170
SEED ?= 1
WORKERS ?= 1
LARGE ?= 2000
WIDE ?= 1000
MANY ?= 1000000
STORE ?=

.PHONY: install demo serve deploy docs test test-thorough test-slow test-clients test-postgres test-wheel test-browser pictures prefect-ways check audit bench bench-long bench-0 bench-50 bench-300 bench-samples bench-lists bench-inputs bench-sandbox bench-pages bench-comparisons bench-workers bench-memory crash-test stall-test fault-test life-test http-test secrets-test isolation-test bounds-test create-test many-test race-test storage-test stats-test scale-test attack-test

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
deploy: export PREFECT_API_AUTH_STRING := $(PREFECT_API_AUTH_STRING)
deploy: install
	$(BIN)/python -m flows.deploy
	$(BIN)/prefect --no-prompt deploy --all

# In two processes, of which one begins with all tests that need the service.
IN_TWO := -n 2 --dist loadgroup --no-loadscope-reorder

# With COVER=1 also how much of the code runs in these processes, which is not that of the service.
test: install .clients/together-3/installed
	$(BIN)/pytest -m 'not thorough and not slow and not clients and not browser' $(IN_TWO) $(if $(COVER),--cov --cov-report= --cov-fail-under=0)

# What takes seconds where most take none. With COVER=1 after `make test COVER=1`: both together reach the floor in pyproject.toml.
test-thorough: .venv/attack .clients/together-3/installed
	$(BIN)/pytest -m thorough $(IN_TWO) $(if $(COVER),--cov --cov-append --cov-report=)

test-slow: .venv/dask .venv/ray .venv/objects/installed
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

# The pages in Debian's Chromium, which is installed where that may be done; skipped, with the reason, where it is not there.
test-browser: .venv/attack
	-command -v chromium || apt-get install -y -qq chromium chromium-driver
	$(BIN)/pytest -m browser -rs tests/browser

# The pictures of the pages in docs/, made by that suite.
pictures: export ASSAY_PICTURES := docs/pages
pictures: test-browser

# On a PostgreSQL of its own; Debian's package `postgresql` must be installed.
test-postgres: install
	$(BIN)/python -m tests.postgres $(BIN)/pytest tests/store tests/api

# What is installed from a wheel is whole and needs no extra: in a new environment, and in a folder that is not the clone.
WHEEL := $(CURDIR)/.venv/wheel
WHEEL_BIN := $(WHEEL)/env/bin

test-wheel: install
	rm -rf build $(WHEEL)
	$(BIN)/pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir $(WHEEL) .
	$(BIN)/python -m tests.wheel $(WHEEL)/*.whl
	$(PYTHON) -m venv $(WHEEL)/env
	$(WHEEL_BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt $(WHEEL)/*.whl
	mkdir $(WHEEL)/run
	cd $(WHEEL)/run && $(WHEEL_BIN)/assay demo
	$(WHEEL_BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt \
		hypothesis nemo-microservices pytest pytest-timeout pytest-xdist rouge-score
	cp -r tests bench pyproject.toml $(WHEEL)/run
	cd $(WHEEL)/run && $(WHEEL_BIN)/pytest tests/core tests/tasks/metrics tests/tasks/sandbox tests/service/test_cli.py

prefect-ways: install
	$(BIN)/pytest -v tests/service/test_prefect.py tests/service/test_deploy.py tests/service/test_process_pool.py

check: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

# Known vulnerabilities of the pinned versions, by PyPI's advisories; fails where these cannot be had.
audit: .venv/audit/bin/pip-audit
	$< --strict --no-deps --disable-pip --requirement constraints.txt

.venv/audit/bin/pip-audit: .venv/installed
	$(PYTHON) -m venv .venv/audit
	.venv/audit/bin/pip install --quiet --disable-pip-version-check pip-audit==2.10.1

# What is installed besides, by the name of its extra.
.venv/attack .venv/bench .venv/dask .venv/ray: .venv/%: .venv/installed
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev,$*]'
	touch $@

# The page about specifications, from the classes that read them.
docs: install
	$(BIN)/python -m docs.reference > docs/spec.md

# The goals of speed; writes its section of BENCHMARKS.md, as the next ones do.
bench: .venv/bench
	$(BIN)/python -m bench --write BENCHMARKS.md

# All cases, about 29 minutes; any part of it can be run by itself.
bench-long: bench-0 bench-50 bench-300 bench-workers bench-samples bench-lists bench-inputs bench-sandbox bench-pages bench-comparisons

bench-0 bench-50 bench-300: bench-%: install
	$(BIN)/python -m bench.grid $* --write BENCHMARKS.md

bench-samples bench-lists bench-inputs bench-sandbox bench-pages bench-comparisons: bench-%: install
	$(BIN)/python -m bench.printed $* --write BENCHMARKS.md

# What one worker makes, and two; about 4 minutes.
bench-workers: install
	$(BIN)/python -m bench.workers --write BENCHMARKS.md

# What large texts and many rows cost in memory: LARGE outputs of 1 MB, and a fourth as many that are judged; WIDE rows of 1 MB;
# MANY small rows. One that is 0 is left out, and the section of BENCHMARKS.md is called so: `make bench-memory WIDE=0 MANY=0` and
# `make bench-memory LARGE=0 WIDE=0` measure the two goals at different times. On the disk a case may take 4 MB a large text, in
# TMPDIR, which goes with its end.
bench-memory: install
	$(BIN)/python -m bench.memory --large $(LARGE) --wide $(WIDE) --many $(MANY) --write BENCHMARKS.md

# Kill -9 of any process of the service at any moment; writes its section of RELIABILITY.md, as the next ones do. WORKERS=2 has
# two of them; STORE=1 has the results in an object store of its own.
crash-test: install $(if $(STORE),.venv/objects/installed)
	$(if $(STORE),$(BIN)/python -m tests.objects) $(BIN)/python -m bench.crash --kills $(KILLS) --seed $(SEED) \
		--workers $(WORKERS) $(if $(STORE),--store) --write RELIABILITY.md

# Workers that stand still for a while and go on, on one home and on two with only a database and an object store in common.
stall-test: install .venv/objects/installed
	-ls /usr/lib/postgresql/*/bin/pg_ctl || apt-get install -y -qq postgresql
	$(BIN)/python -m tests.postgres $(BIN)/python -m tests.objects $(BIN)/python -m bench.stalls --write RELIABILITY.md

# A model endpoint that fails in every way.
fault-test: install
	$(BIN)/python -m bench.faults --faults $(FAULTS) --seed $(SEED) --write RELIABILITY.md

# A disk that is full, files that may grow no further, renames that are refused.
storage-test: install
	$(BIN)/python -m bench.storage --faults $(FAULTS) --seed $(SEED) --write RELIABILITY.md

# How often intervals, tests and plans are right.
stats-test: install
	$(BIN)/python -m bench.statistics --seed $(SEED) --write RELIABILITY.md

# Random lives of jobs, requests from the schema, and keys: the tests of the suite, in their long forms. http-test takes an
# hour; LEDGER=FILE has it go on in parts, of 12 minutes each, until the file has all its seeds.
life-test http-test secrets-test: %-test: install
	$(BIN)/python -m bench.long $* $(if $(LEDGER),--ledger $(LEDGER) --minutes 12) --write RELIABILITY.md

# What one job's trouble costs another.
isolation-test: install
	$(BIN)/python -m bench.isolation --write RELIABILITY.md

# Many jobs created at once.
create-test: install
	$(BIN)/python -m bench.creates --write RELIABILITY.md

# Bounds of a model over two processes, in SQLite, Postgres and Redis, counted at the socket.
bounds-test: install
	-ls /usr/lib/postgresql/*/bin/pg_ctl || apt-get install -y -qq postgresql
	-command -v redis-server || apt-get install -y -qq --no-install-recommends redis-server
	$(BIN)/python -m bench.bounds --write RELIABILITY.md

# Many jobs at a rate: how late their statuses are, and how slow the lists.
many-test: install
	$(BIN)/python -m bench.many --write RELIABILITY.md

# Pause, resume, cancel, delete, Prefect's suspend and resume, and deaths, in random order while calls are made.
race-test: install
	$(BIN)/python -m bench.races --sequences $(SEQUENCES) --seed $(SEED) --write RELIABILITY.md

# Several workers, over a Postgres and an object store of their own: Debian's packages, and for the store an environment.
# As root on Linux, in network namespaces of their own.
scale-test: install .venv/objects/installed
	-command -v ip || apt-get install -y -qq --no-install-recommends iproute2
	-ls /usr/lib/postgresql/*/bin/pg_ctl || apt-get install -y -qq postgresql
	$(BIN)/python -m tests.network $(BIN)/python -m tests.postgres $(BIN)/python -m tests.objects \
		$(BIN)/python -m bench.apart --seed $(SEED) --write RELIABILITY.md
	$(MAKE) stall-test
	$(MAKE) crash-test KILLS=8 WORKERS=2
	$(MAKE) crash-test KILLS=8 STORE=1
	$(MAKE) bounds-test

.venv/objects/installed: tests/object_server.txt .venv/installed
	$(PYTHON) -m venv .venv/objects
	.venv/objects/bin/pip install --quiet --disable-pip-version-check --requirement $<
	touch $@

# Tries of every kind to get into a running service, or to stall it. Pages of other sites are tried in Debian's Chromium,
# which is installed where that may be done.
attack-test: .venv/attack
	-command -v chromium || apt-get install -y -qq chromium chromium-driver
	$(BIN)/python -m bench.attacks --write RELIABILITY.md
