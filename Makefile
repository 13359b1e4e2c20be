# Every target sets up what it needs, in .venv, from nothing but Python >= 3.11 and make.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# More than cores: some tests wait for real time.
JOBS ?= 3
STUBS := 1.29

.PHONY: help demo life test stubs campaign cuts fuzz mutation bench gen clean

help:
	@echo "make demo      run the main job: program, deliver 30 days, download, compare; results in out/demo"
	@echo "make life      a pump's seven years and a fast life as case histories; pages in out/life, some minutes"
	@echo "make test      style, types, drift of generated files, and all tests"
	@echo "make stubs     type check of the firmware against the MicroPython stubs of each family (part of make test)"
	@echo "make campaign  the firmware's properties with fifty times the examples and more, every power cut, ten years of flex"
	@echo "make mutation  changes each comparison and counter of guard, scheduler and therapy check: do the tests notice?"
	@echo "make cuts      every power cut alone, with the number of distinct flash states"
	@echo "make fuzz      the host's codec under a coverage-guided fuzzer, 1.5 million inputs (docs/FUZZING.md)"
	@echo "make bench     measure start-up times and more"
	@echo "make gen       rewrite what is generated: from the protocol, and the pages of the benches"
	@echo "make clean     remove .venv, build results and caches"

demo: $(VENV)/.base
	$(BIN)/dosebench demo

life: $(VENV)/.base
	for life in fast-life seven-years; do \
	  $(BIN)/dosebench simulate examples/$$life.toml --scenario examples/scenarios/$$life.toml --runtime cpython \
	    --report out/life/$$life.html --figure out/life/$$life.png --log out/life/$$life.jsonl || exit 1; \
	done

test: $(VENV)/.dev stubs
	$(BIN)/ruff check .
	$(BIN)/mypy -p dosebench_protocol -p dosebench -p dosebench_hil -p benchmarks
	$(BIN)/python -m dosebench_protocol.generate --check
	$(BIN)/python -m dosebench.bench.pages --check
	$(BIN)/python -m pytest -q -n $(JOBS) --dist worksteal

stubs: $(VENV)/.dev $(VENV)/.stubs-rp2 $(VENV)/.stubs-esp32
	$(BIN)/python tests/boards/stubcheck.py $(VENV)/stubs

campaign: $(VENV)/.dev
	DOSEBENCH_LONG=1 $(BIN)/python -m pytest -q -n $(JOBS) tests/firmware campaigns/cuts

mutation: $(VENV)/.campaign
	$(BIN)/python -m campaigns.mutation --jobs $(JOBS)

cuts: $(VENV)/.dev
	$(BIN)/python -m pytest -q -n $(JOBS) -rP campaigns/cuts

fuzz: $(VENV)/.campaign
	$(BIN)/python -m campaigns.fuzz --runs 1500000

bench: $(VENV)/.dev
	$(BIN)/python -m benchmarks

gen: $(VENV)/.base
	$(BIN)/python -m dosebench_protocol.generate
	$(BIN)/python -m dosebench.bench.pages

# Stamps: what was installed, for which pyproject.toml.
$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "error: Python >= 3.11 is needed; say which: make PYTHON=python3.12 ..."; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	touch $@

$(VENV)/.base: pyproject.toml | $(VENV)/.python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	touch $@

$(VENV)/.dev: pyproject.toml | $(VENV)/.python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev,hil]'
	touch $(VENV)/.base $@

$(VENV)/.campaign: pyproject.toml | $(VENV)/.python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev,hil,campaign]'
	touch $(VENV)/.base $(VENV)/.dev $@

# Each family's stubs in a directory of their own: they share top-level files.
$(VENV)/.stubs-%: Makefile | $(VENV)/.python
	rm -rf $(VENV)/stubs/$*
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --target $(VENV)/stubs/$* \
	  'micropython-$*-stubs>=$(STUBS),<1.30'
	touch $@

clean:
	rm -rf $(VENV) build dist out .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +
