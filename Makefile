# make demo     perplexity of a small Mamba on a story: dense, Simba and baselines side by side
# make test     every test, C++ and Python
# make test-kernel KERNEL=selective_scan   one CPU kernel, rebuilt and tested on every instruction set
# make build    everything, without running it
# make lint     formatting is as .clang-format says;   make format   make it so
# make clean    remove what the build made (.venv stays)
# Each does its own set-up (tools/bootstrap). Generated files go to out/ and .venv/ only.
BUILD := out/build
JOBS ?= $(shell nproc)
CMAKE_FLAGS ?=
ifeq ($(SIMBA_FETCH_DEPENDENCIES),1)
  override CMAKE_FLAGS += -DSIMBA_FETCH_DEPENDENCIES=ON
endif
export PATH := $(CURDIR)/.venv/bin:$(PATH)

CXX_FILES = $(shell git ls-files '*.cpp' '*.h' '*.cu' '*.cuh')

.PHONY: demo test test-kernel build configure lint format clean

demo: configure
	cmake --build $(BUILD) --parallel $(JOBS) --target simba-eval
	$(BUILD)/bin/simba-eval perplexity \
	  --model examples/demo/model --data examples/demo/the_ledger_of_skerrow_light.txt \
	  --context 2048 --score 64 --windows 8 --retention 0.5,0.1 \
	  --criterion influence,recent,spaced,random --decay no_bias,full --match-flops \
	  --out out/demo --force

# Two tests share the cores at any time: a thread that has nothing to do must not spin, and inductor's
# helpers would only import torch once more each. transformers' Mamba walks tensors of 100 MB by column:
# huge pages make that a quarter shorter.
test: build .venv/.simba-test
	@status=0; export OMP_WAIT_POLICY=passive; \
	export TORCHINDUCTOR_COMPILE_THREADS=1 THP_MEM_ALLOC_ENABLE=1; \
	ctest --test-dir $(BUILD) --parallel 2 --no-tests=error --output-on-failure \
	  --output-junit $(CURDIR)/out/ctest.xml || status=1; \
	SIMBA_BUILD_DIR=$(CURDIR)/$(BUILD) SIMBA_OPS_LIBRARY=$(CURDIR)/$(BUILD)/lib/libsimba_ops.so \
	PYTHONPATH=python PYTHONDONTWRITEBYTECODE=1 HYPOTHESIS_STORAGE_DIRECTORY=out/hypothesis \
	.venv/bin/python -m pytest -rs -n 2 --dist worksteal \
	  -o cache_dir=out/pytest_cache --junitxml=out/pytest.xml tests/python || status=1; \
	if [ -z "$$SIMBA_TEST_DATA" ]; then \
	  echo "SIMBA_TEST_DATA is not set: the tests listed as skipped were left out."; fi; \
	exit $$status

test-kernel: configure
	cmake --build $(BUILD) --parallel $(JOBS) --target kernels_$(KERNEL)_test
	ctest --test-dir $(BUILD) --no-tests=error --output-on-failure -R '^kernels_$(KERNEL)_test$$'

build: configure
	cmake --build $(BUILD) --parallel $(JOBS)

configure: .venv/.simba-build
	cmake -S . -B $(BUILD) -G Ninja -DPython_EXECUTABLE=$(CURDIR)/.venv/bin/python $(CMAKE_FLAGS) \
	  --log-level=NOTICE

.venv/.simba-build: tools/bootstrap
	tools/bootstrap build

.venv/.simba-test: tools/bootstrap
	tools/bootstrap test

lint:
	clang-format --dry-run --Werror $(CXX_FILES)

format:
	clang-format -i $(CXX_FILES)

clean:
	rm -rf out
