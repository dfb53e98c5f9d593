# Every command of the project; `make` alone prints them with their help.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
REQUIREMENTS := $(VENV)/.requirements
ENGINE := src/penstock/_engine.abi3.so
PIP_TOOLS := 7.6.2
GRPC_GO := v1.83.2

# Folders are in the list too: deleting a file changes its folder.
ENGINE_SOURCES := $(shell find engine -name target -prune -o -print 2>/dev/null) $(wildcard Cargo.*)
PYTHON_FOLDERS := $(wildcard src tests examples benchmarks tools)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: $(shell sed -n 's/^\([a-z0-9-]*\):.*/\1/p' $(firstword $(MAKEFILE_LIST)))

help:
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | column -t -s '|' 2>/dev/null \
		|| sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  make \1: \2/p' Makefile

setup: $(REQUIREMENTS) ## make .venv and install what development needs (again only when the pins change)

build: $(ENGINE) ## build the engine (again only when engine/ or Cargo.* change)

demo: build ## run the tutorial's programs and show both sides of each
	$(BIN)/python -m examples.tutorial.demo

demo-tokens: build ## let clients ask a stand-in for a language model, and show its tokens as they come
	$(BIN)/python -m examples.tokens.demo

leak: build ## let clients vanish from servers of grpcio and of ours, and see which still answer (Go: the tutorial's too)
	$(BIN)/python -m examples.leak

demo-images: build ## have pictures improved by calls and by streams, on grpcio and on ours: what is image work, what is not (Go: its client)
	$(BIN)/python -m examples.image_service

test: build ## run every test: the engine's in Rust, then all of tests/
	cargo test --quiet --locked --package penstock-core --all-features
	$(BIN)/python -m pytest

interop: build ## run gRPC's standard interop cases with other implementations, both ways (SOAK=10000: for long)
	$(BIN)/python -m tests.interop.standard $(if $(SOAK),--soak $(SOAK))

attack: build ## what a hostile client meets: every attack with its memory, the neighbour's p99, how it ends (ONLY=ping-flood)
	$(BIN)/python -m tests.stress.attacks $(if $(ONLY),--only $(ONLY)) $(if $(ROUNDS),--rounds $(ROUNDS))

soak: build ## end a million calls in every way at random, for 10 minutes at most, and see what is left (SEED=1 SECONDS=60 LOOP=uvloop)
	$(BIN)/python -m tests.stress.soak $(if $(SEED),--seed $(SEED)) $(if $(SECONDS),--seconds $(SECONDS)) $(if $(LOOP),--loop $(LOOP))

soak-full: build ## the same, until it is a million
	$(BIN)/python -m tests.stress.soak --full $(if $(SEED),--seed $(SEED)) $(if $(LOOP),--loop $(LOOP))

check: build ## formatting, lint, types and the checks in tools/: what must be clean before a commit
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy --strict $(PYTHON_FOLDERS)
	cargo fmt --all --check
	cargo fmt --check --manifest-path benchmarks/peers/tonic/Cargo.toml
	cargo clippy --quiet --locked --workspace --all-targets --all-features -- -D warnings
	$(BIN)/python -m tools.check

conformance: build ## run every case of connectconformance against our server and our client (needs Go)
	$(BIN)/python -m tests.conformance

# The tests make it too, when they need it.
generators: build/generators/buf/node_modules/.package-lock.json build/generators/protoc/bin/protoc ## install buf and protoc, for the tests of generated code

http2: build ## run h2spec, h2specd and grpc's negative HTTP/2 cases (needs Go)
	CI=true $(BIN)/python -m pytest tests/interop/http2

bench: build ## run the benchmarks with the usual peers that are there, in minutes
	$(BIN)/python -m benchmarks.run --seconds 0.3

bench-full: build ## the same for longer, of all peers that are there, in plaintext and over TLS, then crosswise (two hours)
	$(BIN)/python -m benchmarks.run --all
	$(BIN)/python -m benchmarks.run --all --tls
	$(BIN)/python -m benchmarks.run --cross --rounds 3 --seconds 0.3

bench-tokens: build build/tokens/.requirements ## tokens to 1, 32, 1,024 and 4,096 streams of one process, beside grpcio, SSE and WebSockets
	$(BIN)/python -m benchmarks.tokens $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(STREAMS),--streams $(STREAMS))

bench-load: build ## latency and cost under load, beside busy streams, of fresh processes (SECTIONS="latency start")
	$(BIN)/python -m benchmarks.load $(SECTIONS)

bench-peers: build/benchmarks/python/.requirements ## install grpclib, connectrpc and pygrpc-native beside .venv, for bench-full

idle: build ## measure what idle streams cost, beside grpcio
	$(BIN)/python -m benchmarks.idle

gen: build ## write the generated code of examples/, tests/protos and src/penstock/services again, and what docs/ends.md draws
	$(BIN)/penstock generate proto --out src/penstock/services --pool penstock.services.pool
	$(BIN)/penstock generate examples/tutorial
	$(BIN)/penstock generate examples/image_service
	$(BIN)/penstock generate examples/tokens
	$(BIN)/penstock generate --grpc tests/protos
	$(BIN)/python -m tools.life

fmt: setup ## format Python and Rust, and mend what lint can mend
	$(BIN)/ruff check --fix --quiet . || true
	$(BIN)/ruff format .
	cargo fmt --all
	cargo fmt --manifest-path benchmarks/peers/tonic/Cargo.toml

lock: build/lock/bin/pip-compile ## write requirements-dev.lock, from pyproject.toml and requirements-dev.in, and that of the benchmarks again
	build/lock/bin/pip-compile --quiet --generate-hashes --allow-unsafe --no-emit-index-url --no-emit-find-links \
		--strip-extras --extra uvloop --extra codegen --extra testing --output-file requirements-dev.lock pyproject.toml requirements-dev.in
	build/lock/bin/pip-compile --quiet --generate-hashes --allow-unsafe --no-emit-index-url --no-emit-find-links \
		--strip-extras --output-file benchmarks/peers/requirements.lock benchmarks/peers/requirements.in

clean: ## remove everything that was made: .venv, the engine, caches
	rm -rf $(VENV) $(ENGINE) examples/*/go/bin target build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find $(PYTHON_FOLDERS) -name __pycache__ -type d -prune -exec rm -rf {} +

$(REQUIREMENTS): requirements-dev.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Penstock needs Python 3.11 or later; set PYTHON=")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements-dev.lock
	@touch $@

# pyproject.toml is here for the names of the installed scripts.
$(ENGINE): $(REQUIREMENTS) $(ENGINE_SOURCES) pyproject.toml
	VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/maturin develop --release --locked
	@touch $@

build/generators/buf/node_modules/.package-lock.json: tests/interop/generators/package-lock.json
	mkdir -p build/generators/buf
	cp tests/interop/generators/package.json $< build/generators/buf
	npm ci --prefix build/generators/buf --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

build/generators/protoc/bin/protoc: tests/interop/generators/requirements.txt
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --require-hashes --upgrade \
		--target build/generators/protoc --requirement $<
	@touch $@

build/benchmarks/python/.requirements: benchmarks/peers/requirements.lock
	$(PYTHON) -m venv build/benchmarks/python
	build/benchmarks/python/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement $<
	@touch $@

# Other implementations for the interop cases. The tests make them too, when they need them.
grpc-go: build/interop/go/client build/interop/go/server
grpc-js: build/interop/js/node_modules/.package-lock.json

# This file is here for the version.
build/interop/go/%: Makefile
	GOBIN=$(CURDIR)/build/interop/go go install google.golang.org/grpc/interop/$*@$(GRPC_GO)
	@touch $@

build/interop/js/node_modules/.package-lock.json: tests/interop/standard/js/package-lock.json
	mkdir -p build/interop/js
	cp tests/interop/standard/js/package.json $< build/interop/js
	npm ci --prefix build/interop/js --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

build/tokens/.requirements: benchmarks/tokens/requirements.txt $(REQUIREMENTS)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --upgrade \
		--target build/tokens --requirement $<
	@touch $@

# A peer of the benchmarks; go itself knows what is still fresh.
grpc-go-peer: ## build the benchmarks' programs that use grpc-go
	cd benchmarks/peers/grpc_go && go build -buildvcs=false -o $(CURDIR)/build/benchmarks/grpc_go/ ./...

# A peer of the benchmarks; cargo itself knows what is still fresh.
tonic-peer: build/generators/protoc/bin/protoc ## build the benchmarks' programs that use tonic
	PROTOC=$(CURDIR)/$< cargo build --quiet --release --locked --manifest-path benchmarks/peers/tonic/Cargo.toml --target-dir build/benchmarks/tonic

build/lock/bin/pip-compile:
	$(PYTHON) -m venv build/lock
	build/lock/bin/pip install --quiet --disable-pip-version-check pip-tools==$(PIP_TOOLS)
