# `make up` runs TraceHub on this machine, `make test` checks it. `make help` lists the rest.
.DEFAULT_GOAL := help
SHELL := /bin/sh
export PYTHON

bin := .venv/bin
# Lints load the settings, which would make a secret key in the user's data folder otherwise.
lint_env := TRACEHUB_SECRET_KEY=lint TRACEHUB_DATA_DIR=.venv/lint DATABASE_URL=postgresql://nobody@/none

# Three processes for two cores, since browsers wait; a PostgreSQL each; whole files, the longest first.
parallel := -n 3 --dist loadfile --no-loadscope-reorder

.PHONY: help
help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | while IFS="$$(printf '\t')" read -r name text; do \
		printf '  %-14s %s\n' "$$name" "$$text"; done

.PHONY: install
install: ## Make the environment in .venv, so that .venv/bin/tracehub works from anywhere
	@scripts/install running

.PHONY: up
up: install ## Run TraceHub with demo data; Ctrl-C stops it
	@exec $(bin)/tracehub up --demo

.PHONY: install-dev
install-dev: ## The environment with everything that development needs
	@scripts/install development

.PHONY: lint
lint: install-dev ## Format, style, types, import rules, templates, vendored files
	$(bin)/ruff format --check .
	$(bin)/ruff check .
	$(lint_env) $(bin)/mypy
	$(bin)/lint-imports
	$(bin)/djlint templates --lint --quiet
	$(bin)/python scripts/vendor.py --check

.PHONY: test
test: lint ## Everything that CI checks, in about 10 minutes on 2 cores
	@CHROMIUM=$$(scripts/chromium) && export CHROMIUM && $(bin)/python -m pytest $(parallel) $(PYTEST)

.PHONY: test-faults
test-faults: install-dev ## The long fault tests: SEED=1 MINUTES=60 by default
	$(bin)/python -m pytest tests/faults --seed $(or $(SEED),1) --minutes $(or $(MINUTES),60)

.PHONY: test-topology
test-topology: install-dev ## docker-compose.yml as processes; MINUTES=10 keeps the broker away so long
	@scripts/topology
	$(bin)/python -m pytest tests/topology $(if $(MINUTES),--minutes $(MINUTES))

.PHONY: test-exports
test-exports: install-dev ## Load every export format with the tool it is for
	$(bin)/python -m pytest tests/exports_long

.PHONY: bench
bench: install-dev ## The benchmarks in bench/, as ratios to a bare reference
	$(bin)/python bench/ingest.py
	$(bin)/python bench/read.py
	$(bin)/python bench/metrics.py
	$(bin)/python bench/evals.py
	$(bin)/python bench/failures.py
	$(bin)/python bench/planted.py
	$(bin)/python bench/soak.py --minutes $(or $(SOAK),30)
	BENCH_REVIEWS=200 $(bin)/python -m pytest tests/web/test_quick_review.py -k keyboard_alone

.PHONY: docs
docs: install-dev ## Build the documentation into site/, its links, completeness and examples checked
	$(bin)/python -m pytest tests/test_docs.py tests/cli/test_apply.py
	NO_MKDOCS_2_WARNING=1 $(bin)/mkdocs build --strict --quiet
	@echo "The documentation is in site/index.html"

.PHONY: audit
audit: install-dev ## Dependencies, code and files for weaknesses and secrets; a bill of materials
	@scripts/audit

.PHONY: format
format: install-dev ## Format the code
	$(bin)/ruff format .
	$(bin)/ruff check --fix-only --quiet .

.PHONY: lock
lock: install-dev ## Resolve the dependencies anew into requirements.lock
	scripts/lock

.PHONY: wheel
wheel: install-dev ## Build the wheel into dist/
	$(bin)/python -m build --wheel --no-isolation

.PHONY: clean
clean: ## Remove the environment and what tools left
	rm -rf .venv dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
