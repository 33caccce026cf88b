# Every command makes the environment it needs, below .venvs/, and makes it anew only when
# pyproject.toml asks for something else. PYTHON names the interpreter: make test PYTHON=python3.13

PYTHON ?= python3
ARGS ?=
# How many processes share the tests: most of what they do is waiting. 0 is one, as a debugger needs.
WORKERS ?= auto
# What `make check` tests.
INSIDE = connectors control engine events executors graph model state view

bootstrap = $(PYTHON) -m tools.bootstrap

.PHONY: help demo lab docs shots test check lint format bench bench-quick soak clean

help: ## list these commands
	@sed -n 's/^\([a-z-]*\): *## /\1	/p' $(MAKEFILE_LIST) | while IFS='	' read -r name words; do \
		printf '  make %-8s %s\n' "$$name" "$$words"; done

demo: ## run notebooks/quickstart.ipynb in a real kernel and say what happened
	@$(bootstrap) notebook python -m tools.demo $(ARGS)

lab: ## open JupyterLab on the quickstart
	@$(bootstrap) notebook python -m tools.lab $(ARGS)

docs: ## make the pages of docs/ in build/docs; a warning is an error
	@$(bootstrap) test python -m sphinx -W --keep-going -q -b html -c docs . build/docs $(ARGS)
	@echo build/docs/docs/index.html

shots: ## make a picture of each state of the panel; ARGS=--readme makes those of the README
	@$(bootstrap) --system test python -m tools.shots $(ARGS)

test: ## run every test; ARGS go to pytest, as in make test ARGS="tests/graph -x"
	@$(bootstrap) --system --kernels test python -m pytest -n $(WORKERS) $(ARGS)

check: ## lint, and the tests that need neither kernel nor browser nor server: for every save
	@$(MAKE) --no-print-directory lint
	@$(bootstrap) test python -m pytest -n logical -q -m "not outside and not slow and not soak and not hypothesis" \
		$(addprefix tests/,$(INSIDE)) $(ARGS)

lint: ## ruff's rules, ruff's format, mypy, oxlint
	@$(bootstrap) test ruff check
	@$(bootstrap) test ruff format --check
	@$(bootstrap) test mypy
	@$(bootstrap) test oxlint --quiet --deny-warnings cascade_nb tests

format: ## let ruff repair what it can
	@$(bootstrap) test ruff check --fix-only
	@$(bootstrap) test ruff format

bench: ## measure everything that benchmarks/README.md promises, table and JSON out
	@$(bootstrap) test python -m benchmarks $(ARGS)

bench-quick: ## the same in small sizes, in under two minutes
	@$(bootstrap) test python -m benchmarks --quick $(ARGS)

soak: ## the property tests, the killed kernels and what Binder installs, for as long as it takes
	@HYPOTHESIS_PROFILE=soak $(bootstrap) --system --kernels test python -m pytest -m "hypothesis or soak or only_soak" --timeout 0 $(ARGS)

clean: ## remove the environments and everything built
	rm -rf .venvs build dist .mypy_cache .pytest_cache .ruff_cache
