# Each target makes the environment it needs; a second call finds it ready.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo lung cohort test gpu fuzz kills lint docs bench format clean

demo: $(READY)
	$(BIN)/python -m examples.demo --out demo-out

lung: $(READY)
	$(BIN)/python -m examples.lung --data ../shared/data/lc25000-lung --out lung-out

cohort: $(READY)
	$(BIN)/python -m examples.cohort --out cohort-out

# JOBS: test processes; each takes a file of tests at a time, and has one thread
JOBS ?= logical
test: $(READY)
	$(BIN)/python -m pytest --numprocesses $(JOBS) --maxprocesses 8 \
		--dist loadfile --no-loadscope-reorder

# what only a machine with a CUDA device can tell, in under ten minutes: the tests, then the figures
# of docs/explanation/benchmarks.md, also after a test that failed
gpu: $(READY)
	$(BIN)/python -m bench.gpu --check
	$(BIN)/python -m pytest -m cuda tests/distill; failed=$$?; \
		$(BIN)/python -m bench.gpu --page docs/explanation/benchmarks.md && exit $$failed

# SECONDS, SEED: how long, and which mutants; NUMBER: one of them, as it is named when it fails
SECONDS ?= 60
SEED ?= 0
fuzz: $(READY)
	$(BIN)/python -m tests.behavior.fuzzing --seconds $(SECONDS) --seed $(SEED) $(addprefix --number ,$(NUMBER))

kills: $(READY)
	EVERY_RENAME=1 $(BIN)/python -m pytest -s tests/behavior/test_kills.py

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# the site, in site/index.html; a warning is an error
docs: $(READY)
	$(BIN)/python -m tools.site

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(READY)
	$(BIN)/python -m bench

$(READY): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,docs]'
	touch $@

clean:
	rm -rf $(VENV) demo-out cohort-out bench-out fuzz-out site .cache
