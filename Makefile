# One door to everything. `make help` lists the targets from these comments.
SHELL := /bin/bash
PYTHON ?= python3
UV := .tools/uv/bin/uv
BIN := .venv/bin
PORT ?= 8080
DB ?= postgres
NAME ?=
APP ?=
PYTEST := $(BIN)/python -m pytest
PARALLEL := -n 2 --dist loadscope --no-loadscope-reorder
BROKLE := $(BIN)/brokle

# Where it is set, each of a house's processes would compile all of Python's source anew: twice the time to start.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  %-20s %s\n", $$1, $$2}'

# ── Start ────────────────────────────────────────────────────────────────────
.PHONY: run
run: .venv/.ready assets ## Run Brokle: embedded engines, http://localhost:8080 (PORT=…)
	@exec $(BROKLE) serve --port $(PORT)

.PHONY: setup
setup: .venv/.ready ## Install everything into .venv

.PHONY: assets
assets: .venv/.ready ## Build CSS, JavaScript, fonts and translations (skipped when nothing changed)
	@$(BIN)/python -m brokle.web.build_assets

.PHONY: dev
dev: .venv/.ready assets ## Run with reload of Python, templates, CSS and JavaScript
	@exec $(BROKLE) serve --dev --port $(PORT)

$(UV):
	@$(PYTHON) -m venv .tools/uv
	@.tools/uv/bin/python -m pip install --quiet 'uv>=0.9,<1'

.venv/.ready: $(UV) pyproject.toml uv.lock
	@$(UV) sync --locked --quiet --python $(PYTHON)
	@touch $@

.PHONY: judges
judges: .tools/litellm/.ready .tools/claude_code/.ready ## Install the clients of tests/sdk that cannot live beside the others

.tools/claude_code/.ready .tools/codex/.ready: .tools/%/.ready: .venv/.ready tests/sdk/%/package-lock.json
	@$(BIN)/python -m tests.coding_agents $*

.tools/%/.ready: $(UV) tests/sdk/%/pyproject.toml tests/sdk/%/uv.lock
	@UV_PROJECT_ENVIRONMENT=$(CURDIR)/.tools/$* $(UV) sync --locked --quiet --python $(PYTHON) --project tests/sdk/$*
	@touch $@

# ── Check ────────────────────────────────────────────────────────────────────
.PHONY: test
test: .venv/.ready ## Everything CI does; on Debian as root it installs what the tests need
	@tests/install-system-parts
	@$(MAKE) --no-print-directory check assets judges
	@tests/run-modes
	@tests/run-suite

.PHONY: check
check: .venv/.ready lint ## Lint, types, contracts, lock file
	@$(BIN)/mypy
	@$(MAKE) --no-print-directory contracts
	@$(UV) lock --check --quiet
	@$(UV) lock --check --quiet --project tests/sdk/litellm

.PHONY: contracts
contracts: .venv/.ready ## Who may import whom, the contracts of ee included where it is
	@$(BIN)/lint-imports --no-logo
	@if [ -f ee/importlinter.toml ]; then $(BIN)/lint-imports --no-logo --config ee/importlinter.toml; fi

.PHONY: lint
lint: .venv/.ready ## Ruff, both the linter and the formatter
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

.PHONY: fmt
fmt: .venv/.ready ## Format the code
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format .

.PHONY: test-unit
test-unit: .venv/.ready judges ## Tests that need no browser and no container engine
	@$(PYTEST) $(PARALLEL) -m "not e2e and not docker and not long and not coding_agents"

.PHONY: test-integration
test-integration: .venv/.ready judges ## Tests with real engines
	@$(PYTEST) $(PARALLEL) -m "engines and not long and not coding_agents"

.PHONY: test-e2e
test-e2e: .venv/.ready assets ## Tests in real Chromium
	@$(PYTEST) -m e2e

.PHONY: test-long
test-long: .venv/.ready ## Faults with their literal durations
	@$(PYTEST) -m long

.PHONY: test-load
test-load: bench ## Same as bench

.PHONY: coding-agents
coding-agents: .venv/.ready judges .tools/codex/.ready ## Claude Code and Codex themselves against the gateway (installs Codex, 424 MB)
	@$(PYTEST) -q tests/conformance/gateway/test_claude_code.py tests/conformance/gateway/test_codex.py

.PHONY: bench
bench: .venv/.ready ## Measure every figure of docs/benchmarks.md (needs wrk; a quiet machine)
	@$(UV) sync --locked --quiet --group bench
	@for figure in egress edge spool snapshot revocation api webhooks websocket login clickhouse watching cold_start; do $(BIN)/python -m bench.$$figure || exit 1; done

.PHONY: bench-gateway
bench-gateway: .venv/.ready ## The gateway beside LiteLLM, Portkey and TensorZero (installs them into .bench; needs wrk and npm)
	@$(BIN)/python -m bench.gateway

.PHONY: test-modes
test-modes: .venv/.ready ## The marked subset with ee/ deleted and with a test license
	@tests/run-modes

.PHONY: test-coverage
test-coverage: .venv/.ready ## Tests with an HTML coverage report
	@$(PYTEST) $(PARALLEL) --cov=brokle --cov=apps --cov-report=html

.PHONY: watch
watch: dev ## Same as dev

# ── Databases ────────────────────────────────────────────────────────────────
.PHONY: migrate-up
migrate-up: .venv/.ready ## Apply pending migrations of all databases
	@$(BROKLE) migrate up

.PHONY: migrate-down
migrate-down: .venv/.ready ## Take back one migration (DB=postgres|clickhouse)
	@$(BROKLE) migrate down --steps 1 --db $(DB)

.PHONY: migrate-status
migrate-status: .venv/.ready ## Pending, applied and dirty migrations
	@$(BROKLE) migrate status

.PHONY: migrate-reset
migrate-reset: .venv/.ready ## Take everything back and apply it anew (asks first)
	@$(BROKLE) migrate reset

.PHONY: create-migration
create-migration: .venv/.ready ## Scaffold a migration (DB=postgres|clickhouse NAME=… APP=…)
	@$(BROKLE) migrate create $(NAME) --db $(DB) $(if $(APP),--app $(APP))

.PHONY: shell-db
shell-db: .venv/.ready ## psql of the local PostgreSQL
	@$(BROKLE) shell postgres

.PHONY: shell-redis
shell-redis: .venv/.ready ## redis-cli of the local Redis
	@$(BROKLE) shell redis

.PHONY: shell-clickhouse
shell-clickhouse: .venv/.ready ## A prompt of the local ClickHouse engine
	@$(BROKLE) shell clickhouse

.PHONY: seed-dev
seed-dev: .venv/.ready ## A believable organization for development
	@$(BROKLE) seed dev

.PHONY: seed-prod
seed-prod: .venv/.ready ## What production needs; never people
	@$(BROKLE) seed prod

# ── Look ─────────────────────────────────────────────────────────────────────
.PHONY: health
health: .venv/.ready ## Everything that must be right, with the mend where it is not
	@$(BROKLE) doctor

.PHONY: logs
logs: ## Follow the logs of Brokle and of its engines
	@tail -n 50 -F $${BROKLE_DATA_DIR:-var}/logs/*.log

.PHONY: logs-api
logs-api: ## Follow the log of Brokle's own processes, JSON lines
	@tail -n 50 -F $${BROKLE_DATA_DIR:-var}/logs/brokle.log

.PHONY: logs-db
logs-db: ## Follow PostgreSQL's log
	@tail -n 50 -F $${BROKLE_DATA_DIR:-var}/logs/postgres.log

# ── Documents ────────────────────────────────────────────────────────────────
.PHONY: screenshots
screenshots: .venv/.ready assets ## Take the pictures of the documents anew
	@BROKLE_KEEP_SCREENSHOTS=1 $(PYTEST) -q tests/e2e/test_screenshots.py

.PHONY: idor-report
idor-report: .venv/.ready ## Ask every route as everybody, print what was answered, keep it in docs/security/tenancy.md
	@BROKLE_KEEP_TENANCY=1 $(PYTEST) -q -s tests/security/idor

.PHONY: conformance-report
conformance-report: .venv/.ready judges .tools/codex/.ready ## Run the gateway's cases by every official client, print the table, keep it in docs/conformance.md
	@BROKLE_KEEP_CONFORMANCE=1 $(PYTEST) -q -s tests/conformance/gateway -k "not test_the_page_shows"

.PHONY: docs-generate
docs-generate: .venv/.ready ## Write the generated documents: settings, .env.example, API
	@$(BIN)/python -c "from brokle.cli.reference import write_references; write_references()"

.PHONY: docs-serve
docs-serve: .venv/.ready ## Serve docs/ on http://127.0.0.1:8000
	@$(BIN)/python -m http.server --bind 127.0.0.1 --directory docs 8000

# ── Ship ─────────────────────────────────────────────────────────────────────
.PHONY: build-oss
build-oss: .venv/.ready ## Wheel and image without ee/ (dist/oss, brokle/brokle:oss)
	@BROKLE_EDITION=oss $(UV) build --wheel --out-dir dist/oss
	@deploy/build-image oss

.PHONY: build-enterprise
build-enterprise: .venv/.ready ## Wheel and image with ee/ (dist/enterprise, brokle/brokle:enterprise)
	@BROKLE_EDITION=enterprise $(UV) build --wheel --out-dir dist/enterprise
	@deploy/build-image enterprise

.PHONY: docker-dev
docker-dev: ## Roles and servers in containers, for development (engines published on loopback)
	@docker compose up --build --detach

.PHONY: docker-prod
docker-prod: ## Roles and servers in containers, as in production
	@docker compose --file docker-compose.yml up --detach

.PHONY: docker-clean
docker-clean: ## Stop these containers; VOLUMES=1 deletes their data too
	@docker compose down --remove-orphans $(if $(VOLUMES),--volumes)

.PHONY: security-scan
security-scan: .venv/.ready ## Bandit's rules, the lock files, known advisories (OFFLINE=1 skips those)
	@deploy/security-scan
