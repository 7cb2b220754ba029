# Every target makes what it needs. `make help` lists them.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
TRIALS ?= 500
MINUTES ?= 10
ARGS   ?= -m optimizer=remaade,random budget=150
OUTPUT ?= outputs

.DEFAULT_GOAL := help
.PHONY: help setup run test torture lint bench tables figures report paper docs arena scaling surrogate clean

help:  ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1|/' | column -t -s '|'

setup: $(READY)  ## make .venv with everything that running and testing need

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "error: $(PYTHON) is older than Python 3.11; set PYTHON=python3.11 or newer."; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test,browser,submitit,surrogate,arena]'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt hpbandster > $(VENV)/hpbandster.log 2>&1 \
		|| echo "note: hpbandster was not installed (its requirement netifaces needs a C compiler and Python's headers); only optimizer=bohb_hpbandster needs it. See $(VENV)/hpbandster.log"
	@touch $(READY)

run: setup  ## the main job: ReMAADE and random search, 500 trials (ARGS="..." for another)
	$(BIN)/python run.py $(ARGS)

test: setup  ## lint, types and all tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -n 2 --dist worksteal

torture: setup  ## seeded damage, kills and wrong input for 10 minutes (MINUTES=60 for more), counted by class
	$(BIN)/python -m tests.torture --minutes $(MINUTES)

lint: setup  ## ruff and mypy alone
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: setup  ## speed, as ratios within one run
	$(BIN)/python -m bench

tables: setup  ## tables 2 to 6, running what is missing (TRIALS=50 for a draft)
	$(BIN)/python -m analysis tables --output-dir $(OUTPUT) --trials $(TRIALS)

figures: setup  ## every figure, running what is missing
	$(BIN)/python -m analysis figures --output-dir $(OUTPUT) --trials $(TRIALS)

report: setup  ## outputs/report/index.html, running what is missing
	$(BIN)/python -m analysis report --output-dir $(OUTPUT) --trials $(TRIALS)

paper: setup  ## outputs/paper: tables and figures for a two-column paper, running what is missing
	$(BIN)/python -m analysis paper --output-dir $(OUTPUT) --trials $(TRIALS)

docs: setup  ## site/index.html: these pages as a site, links checked
	@$(BIN)/python -c 'import mkdocs, mkdocstrings, latex2mathml' 2> /dev/null \
		|| $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[docs]'
	$(BIN)/python -m mkdocs build --strict --quiet
	@echo site/index.html

arena: setup  ## every method on every table that comes with pip, ranked (hours; TRIALS=20 for a draft)
	$(BIN)/python run.py -m +experiment=arena output_dir=$(OUTPUT)/arena $(if $(filter command environment,$(origin TRIALS)),trials=$(TRIALS))
	$(BIN)/python -m studies.arena $(OUTPUT)/arena --images $(OUTPUT)/arena/pictures

scaling: setup  ## parameters, quality and seconds against N, running what is missing (10 minutes; TRIALS=10 for a draft)
	$(BIN)/python -m studies.scaling --output-dir $(OUTPUT) $(if $(filter command environment,$(origin TRIALS)),--trials $(TRIALS))

surrogate: setup  ## fit the NASBench-101 surrogate anew (needs the real cells, about 20 minutes)
	$(BIN)/python -m studies.surrogate_fit

clean:  ## remove what was made, results and environment included
	test ! -d $(OUTPUT) || find $(OUTPUT) -mindepth 1 -not -path outputs/README.md -delete
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
