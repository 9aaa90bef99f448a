# make demo | test | docs | bench. Each installs the system libraries it needs.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help system demo test docs bench build schemas lint

help:
	@echo "make demo    build, simulate a CAFOS night, reduce it, compare with the truth"
	@echo "make test    all tests"
	@echo "make docs    the book and the reference, in target/book and target/doc"
	@echo "make bench   compare with filabres and with ESO's MUSE recipes on the same frames, write docs/benchmarks.md"
	@echo "make schemas write the JSON Schemas anew"

# What is needed: CFITSIO, OpenBLAS, pkg-config, a C compiler.
system:
	@./docs/system-libraries.sh build

build: system
	cargo build --release --package ifured

DEMO := target/demo
demo: build
	rm -rf $(DEMO) && mkdir -p $(DEMO)
	target/release/ifured --instrument cafos simulate $(DEMO)/night
	target/release/ifured --instrument cafos --output $(DEMO)/reduced reduce $(DEMO)/night/raw
	@echo
	@echo "How well the truth came back:"
	target/release/ifured --output $(DEMO)/reduced verify --truth $(DEMO)/night/truth
	@echo
	@echo "products:  $(CURDIR)/$(DEMO)/reduced"
	@echo "report:    $(CURDIR)/$(DEMO)/reduced/report/index.html"
	@echo "next:      target/release/ifured --output $(DEMO)/reduced ls products"

test: system
	@./docs/system-libraries.sh test
	@./tests/tests/editors/install.sh
	cargo build --release --package ifured
	IFURED_PROGRAM=target/release/ifured cargo test --release --workspace

lint:
	cargo fmt --all --check
	rustfmt --edition 2024 --check docs/examples/kast/src/lib.rs tests/tests/misbehaving/lib.rs core/engine/src/plugin/template/lib.rs
	cargo clippy --release --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --release --workspace --no-deps

# The program that makes the book, for this directory only.
MDBOOK_VERSION := 0.5.2
MDBOOK := target/tools/mdbook-$(MDBOOK_VERSION)
$(MDBOOK)/bin/mdbook:
	cargo install mdbook --locked --version $(MDBOOK_VERSION) --root $(MDBOOK)

docs: system $(MDBOOK)/bin/mdbook
	@./docs/system-libraries.sh docs
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps
	./docs/build-book.sh $(MDBOOK)/bin/mdbook target/book

schemas: build
	@for i in cafos kmos muse; do target/release/ifured --instrument $$i schema > schemas/$$i.json; done
	@cd schemas && ../target/release/ifured --quiet schema > any.json
	@target/release/ifured schema --write schemas

bench: build
	@./docs/system-libraries.sh bench
	./docs/bench/run.sh
