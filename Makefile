# The one entry. `make help` lists the targets; each installs what it needs
# into the tree (.venv, node_modules, target) and says what toolchain is missing.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DEFAULT_GOAL := help

PREFIX ?= /usr/local
DESTDIR ?=
SOAK ?= 1
export CARGO_TERM_PROGRESS_WHEN ?= never

need = @command -v $(1) >/dev/null || { echo "missing: $(1) ($(2))"; exit 1; }

.PHONY: help build demo test check bench report docs dist dist-test lint install uninstall clean miri soak sanitize fuzz \
        test-core test-c test-python test-node test-docs test-redis test-adapters

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

build: ## the library: target/library/libtwat_cache.so and .a
	$(call need,cargo,the Rust toolchain: https://rustup.rs)
	cargo library

demo: build ## the main job on real input: a memoized analysis of the standard library
	$(call need,python3,CPython 3.10 or later)
	$(call need,cc,a C compiler)
	tools/demo.sh

test: test-core test-c test-python test-node test-docs ## everything
	@echo "all tests passed"

check: ## a quick subset, for while you work
	TWAT_QUICK=1 tests/run-core.sh

test-core: ## Rust: units, ABI rules, conformance, models, traces, hazards, redis, tiers
	tests/run-core.sh

test-c: ## C and C++ programs against the installed header
	tests/run-c.sh

test-python: ## the Python package
	tests/run-python.sh

test-node: ## the Node package
	tests/run-node.sh

test-docs: ## every code block of every page, every link
	tests/run-docs.sh

test-adapters: ## jest, Node 22 and 24, Bun, Deno, Next.js, ncc and Vite; TWAT_QUICK=1 runs jest alone (1 GB of downloads)
	tests/run-adapters.sh

test-redis: ## the redis engine and tiers alone (test-core has them too)
	tests/run-redis.sh

bench: build ## measured comparisons: what, ours, peer, ratio, target
	tools/bench.sh

report: build ## docs/benchmarks.md and its pictures: from the last `make bench`, and growth curves
	tools/report.sh

lint: ## formatting and lints, all languages
	tools/lint.sh

miri: ## the ABI contract tests under Miri (needs a nightly toolchain with miri)
	tools/miri.sh

soak: ## the hazard tests at ten times their counts, or SOAK=n times; they tell how far they are
	TWAT_SOAK=$(SOAK) cargo test --locked --test hazards
	TWAT_SOAK=$(SOAK) tests/run-python.sh tests/test_editable.py tests/test_large_values.py tests/test_hostile_values.py

sanitize: ## C and C++ tests under ASan, UBSan, TSan and valgrind
	tests/run-sanitize.sh

fuzz: ## each fuzz target for 60 seconds
	tests/run-fuzz.sh

docs: ## the documentation as a site: target/site; SERVE=1 serves it while pages change
	tools/docs.sh

dist: ## what users install, in target/dist: wheels, npm packages, tarball, crate, checksums, SBOM
	tools/dist.sh

dist-test: ## installs and uses all of it where neither Rust nor the source is
	tools/dist-test.sh

# By the environment: a path may have signs that a shell would take for its own.
install uninstall: export INSTALL_PREFIX = $(PREFIX)
install uninstall: export INSTALL_DESTDIR = $(DESTDIR)

install: ## PREFIX=/usr/local DESTDIR=: library, headers, pkg-config, CMake, man page
	# An existing build is installed as it is by those who cannot build: another user, a read-only tree.
	profile=$${TWAT_PROFILE:-library}
	if [ "$$profile" = library ] && command -v cargo >/dev/null && [ -w . ]; then $(MAKE) --no-print-directory build; fi
	tools/install.sh install "$$INSTALL_PREFIX" "$$INSTALL_DESTDIR"

uninstall: ## remove what install laid down
	tools/install.sh uninstall "$$INSTALL_PREFIX" "$$INSTALL_DESTDIR"

clean: ## remove everything that was built or installed into the tree
	rm -rf target .venv build bindings/node/node_modules bindings/python/build bindings/node/adapters/node_modules tools/docs/node_modules \
	  examples/node/node_modules \
	  bindings/node/npm/*/*.node bindings/node/npm/*/*.so*
