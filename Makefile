# make demo and make test need python3 >= 3.10 and make, nothing else.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.installed
EXTRAS := export,cpu,openvino,rtx,report,tensorboard,data,restore,features,video,keras,serve,bundle,sign,cluster,ray,dev

help:                ## Say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(READY)       ## Train on the bundled digits, export, verify, benchmark; ends with a report
	$(BIN)/dcgan-edge demo

test: lint           ## Lint, type-check, check the imports, run all tests
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --maxprocesses 4

test-wheel: $(READY)    ## All tests against the built wheel, installed where the sources are not
	$(BIN)/python -m tests.installed wheel

test-lowest: $(READY)   ## What a device runs, without torch, with the lowest versions that are declared
	$(BIN)/python -m tests.installed lowest

test-pythons: $(READY)  ## The same on Python 3.10 and the newest Python that is here
	$(BIN)/python -m tests.installed pythons

test-installed: $(READY)    ## The last three in one go
	$(BIN)/python -m tests.installed wheel lowest pythons

lint: $(READY)       ## Only the checks that read the code
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(READY)      ## Compare our runtime with PyTorch, ONNX Runtime and OpenVINO on this machine
	$(BIN)/python -m benchmarks.side_by_side

setup: $(READY)      ## Make .venv and install everything into it

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	  { echo "dcgan-edge needs Python 3.10 or newer; name one: make PYTHON=python3.11"; exit 1; }
	@$(PYTHON) -c 'import ensurepip' || \
	  { echo "This Python cannot make virtual environments; on Debian: apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[$(EXTRAS)]'
	@# Of torch-fidelity only the arithmetic is compared with ours, and its torchvision would have to match torch's
	@# build. tritonclient asks for an older protobuf than onnx may have.
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --no-deps \
	  torch-fidelity tqdm tritonclient python-rapidjson
	touch $@

clean:               ## Remove .venv, caches and everything that was produced here
	rm -rf $(VENV) build dist demo *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage \
	  .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: help demo test test-wheel test-lowest test-pythons test-installed lint bench setup clean
