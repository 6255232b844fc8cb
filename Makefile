# Everything runs in .venv, which each target makes for itself: a fresh machine needs python3-venv and nothing else.
PYTHON ?= python3
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable

.PHONY: quickstart test lint docs docs-serve format promtool clean

quickstart: .venv/serve  ## fine-tune, export, serve, ask (ARGS="--set train.epochs=1" passes options on)
	$(BIN)/keras-ft quickstart $(ARGS)

test: .venv/test  ## the whole suite (ARGS="-k name" passes options on)
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder $(ARGS)

lint: .venv/test  ## style, types, and which module may import which
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: .venv/docs  ## the site, into site/; a dead link fails it
	NO_MKDOCS_2_WARNING=1 TF_CPP_MIN_LOG_LEVEL=3 $(BIN)/mkdocs build --strict --quiet

docs-serve: .venv/docs  ## the site at http://127.0.0.1:8000, built again at every change
	NO_MKDOCS_2_WARNING=1 TF_CPP_MIN_LOG_LEVEL=3 $(BIN)/mkdocs serve

format: .venv/test
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

promtool: .venv/bin/promtool  ## Prometheus' own check of its rules, out of Debian's package; tests use it if it is there

.venv/bin/promtool: | .venv/serve
	folder=$$(mktemp -d) && cd $$folder \
	  && { apt-get -qq download prometheus || { apt-get -qq update && apt-get -qq download prometheus; }; } \
	  && dpkg-deb --extract prometheus_*.deb . && mv usr/bin/promtool "$(CURDIR)/$@" && rm -r $$folder

.venv/serve: setup.py constraints.txt
	$(PYTHON) -m venv .venv
	$(INSTALL) ".[serve]"
	touch $@

.venv/test: .venv/serve
	$(INSTALL) ".[serve,test]"
	touch $@

.venv/docs: .venv/serve
	$(INSTALL) ".[serve,docs]"
	touch $@

.venv/gate: setup.py constraints.txt  ## what all targets need, in one installation; files are compiled when imported
	$(PYTHON) -m venv .venv
	$(INSTALL) ".[serve,test,docs]" --no-compile
	touch .venv/serve
	touch .venv/test .venv/docs $@

clean:
	rm -rf .venv runs models site
