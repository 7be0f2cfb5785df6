# make            list the targets
# make demo       everything, from nothing: set-up, example data, training, table, figure
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help install demo data test fuzz lint docs gallery bench bench-peers clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

install: $(STAMP) ## Make .venv with everything (reinstalls nothing that is there)

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -c 'import torch' 2>/dev/null || $(BIN)/pip install -q -c constraints.txt torch
	$(BIN)/pip install -q -c constraints.txt -e '.[dev]'
	touch $@

data: $(STAMP) ## Make the example data (data/example), if it is not there
	$(BIN)/reconic simulate --out data/example

demo: $(STAMP) data ## Train the example MoDL, print its table, save its figure
	. $(BIN)/activate && python main.py --config configs/example.json

test: $(STAMP) ## Run the tests
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist worksteal

fuzz: $(STAMP) ## Run the tests with random configurations and damaged files at full length
	OMP_NUM_THREADS=1 RECONIC_FUZZ=10000 $(BIN)/pytest -n 2 tests/cli/test_fuzz.py tests/train/test_fuzzed_files.py

lint: $(STAMP) ## Check style, types and who imports whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/pyright

docs: $(STAMP) ## Build the documentation into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

gallery: $(STAMP) ## Run the examples, and make the gallery of what they print and draw
	$(BIN)/python docs/gallery.py

bench: $(STAMP) ## Measure speed against the bare FFTs and the bare network
	$(BIN)/python benchmarks/run.py

bench-peers: $(STAMP) ## Measure speed against sigpy, mrpro, BART, deepinv and fastMRI (in .venv-peers)
	$(BIN)/python benchmarks/peers.py

clean: ## Remove .venv, caches and built files; keeps data and logs
	rm -rf $(VENV) .venv-peers build dist .pytest_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
