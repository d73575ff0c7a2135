# make demo    trains, exports and runs an ELU network through all three front doors, with tables, JSON and pictures
#              in build/demo
# make test    builds, then runs pytest and ctest
# make models  the tests on models of other packages, which it installs (450 MB; PyTorch stays)
# make runtimes  other packages' tools and runtimes on converted models, in an environment of its own, build/runtimes, on
#              top of .venv (1 GB; Python 3.11)
# make bench-models  their speed with PyTorch's ELU and with ours
# make lint    ruff, mypy, clang-format, clang-tidy on the library, cppcheck
# make exhaustive  every float32 and every half against wider arithmetic (half an hour)
# make largest-errors  looks for the inputs that csrc/math/bounds.h lists (minutes)
# make arm     the whole product on aarch64, cross-compiled and emulated: tools/arm.sh says what it needs (QEMU=, SYSROOT=)
# make pytorch-tests PYTORCH=...  PyTorch's own tests of elu, selu and celu, from its sources, also on our kernels
# make sanitize  the C++ tests under AddressSanitizer, UndefinedBehaviorSanitizer and ThreadSanitizer
# make valgrind  the bounds of the bare kernels under valgrind
# make fuzz    the operators under libFuzzer (clang) for FUZZ_SECONDS
# make bench   the benchmark, with its table, JSON and pictures in build/bench; other frameworks take part where
#              they are installed: .venv/bin/pip install --group peers
# make memory  the peak memory of training, with its table, JSON and pictures in build/memory
# make pictures  the README's pictures in docs/pictures, from what bench, demo and memory wrote, and
#              docs/measurements.md from docs/measured
# make docs    the documentation site, in build/docs; a warning is an error
# make wheel   the wheel for every supported PyTorch and every Python that is here, in build/wheel, and a check of it.
#              It downloads each PyTorch (0.5 GB) and needs nvcc 13; WHEEL_OPTIONS='--machine aarch64' cross-compiles
# make test-wheel  installs it beside five pairs of PyTorch and Python, one after the other (5.4 GB), and tests it there
# make gpu     on a machine with a GPU: everything that needs one, with a report in build/gpu
# make properties  100,000 random tensors and coefficients against references (minutes)
# make slow    the tests that need much memory (20 GiB) or minutes
# make test-oldest  a build without CUDA kernels with the oldest PyTorch (0.5 GB), `check` and the core of the tests
# make nox     the test suite with PyTorch 2.11 and 2.15, on every Python that is here and has them (5.4 GB each)
# make build   only the set-up: .venv with PyTorch and this package installed in it
# make develop  the same for work on the sources: compiles what changed, into python/torch_elu (CONTRIBUTING.md)
#
# PYTHON=python3.12       the interpreter for .venv
# TORCH_VERSION=2.11      the PyTorch minor version to build against (default: the newest supported one)
# TORCH_ELU_CUDA=0 or 1   leave out or insist on the CUDA kernels (default: built where nvcc and a CUDA PyTorch are)

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

PYTHON ?= python3
TORCH_VERSION ?=
export TORCH_ELU_CUDA ?=

TORCH_REQUIREMENT := $(if $(TORCH_VERSION),torch==$(TORCH_VERSION).*,$(shell grep -Eom1 'torch>=[0-9.,<]+' pyproject.toml))
VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin
BUILD := build
# The tools of .venv come first: cmake and ninja need not be on the machine.
OUTER_PATH := $(PATH)
export PATH := $(BIN):$(PATH)

SOURCES := $(shell find csrc cmake python/torch_elu -type f \
             -regex '.*\.\(h\|cpp\|cu\|cmake\|in\|map\|py\|pyi\|typed\)' -not -name _build_info.py \
             -not -path '*/torch_elu/share/*' -not -path 'python/torch_elu/include/*' -not -path '*/torch_elu/torch-*') \
           CMakeLists.txt setup.py pyproject.toml version.txt README.md LICENSE
# Another choice of Python, PyTorch or CUDA makes another stamp, and so a new set-up.
CHOICE := $(subst /,_,$(PYTHON))-$(if $(TORCH_VERSION),$(TORCH_VERSION),newest)
TORCH_STAMP := $(VENV)/.torch-$(CHOICE)
TOOLS_STAMP := $(VENV)/.tools-$(CHOICE)
BUILD_STAMP := $(VENV)/.installed-$(CHOICE)-cuda$(TORCH_ELU_CUDA)-$(shell echo '$(TORCH_CUDA_ARCH_LIST)' | tr ' ;' '__')

CONFIGURE_TESTS = cmake -S tests -B $(BUILD)/tests -G Ninja -DCMAKE_PREFIX_PATH="$$($(BIN)/python -c 'import torch_elu; print(torch_elu.cmake_prefix_path)')" -DPython_EXECUTABLE=$(BIN)/python

.PHONY: build develop demo test pytest ctest models-packages models runtimes bench bench-models memory pictures docs wheel test-wheel gpu exhaustive largest-errors arm pytorch-tests sanitize valgrind fuzz properties slow nox test-oldest test-without-cuda lint tidy cppcheck format clean

build: $(BUILD_STAMP)

$(TORCH_STAMP):
	rm -rf $(BUILD)/package $(BUILD)/tests
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 10) else "torch_elu needs Python 3.10 or newer, but $(PYTHON) is %d.%d: run make PYTHON=..." % sys.version_info[:2])'
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --progress-bar on '$(TORCH_REQUIREMENT)'
	touch $@

$(TOOLS_STAMP): pyproject.toml | $(TORCH_STAMP)
	$(BIN)/python -m pip install --quiet --group build --group test --group lint
	touch $@

$(BUILD_STAMP): $(TORCH_STAMP) $(TOOLS_STAMP) $(SOURCES)
	rm -rf $(VENV)/.installed-* $(BUILD)/lib.*
	TORCH_ELU_BUILD_DIR=$(BUILD)/package $(BIN)/python -m pip install --quiet --no-build-isolation --no-deps --force-reinstall .
	touch $@

develop: $(TOOLS_STAMP)
	cmake --preset develop -DTorchELU_TORCH_ROOT=$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/torch -DPython_EXECUTABLE=$(BIN)/python -DTORCH_ELU_CUDA=$(TORCH_ELU_CUDA)
	cmake --build --preset develop

demo: build
	$(BIN)/python -m examples.digits --output $(BUILD)/demo

test: pytest ctest

pytest: build
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile

ctest: build
	$(CONFIGURE_TESTS)
	cmake --build $(BUILD)/tests
	ctest --test-dir $(BUILD)/tests --output-on-failure

models-packages: build
	$(BIN)/python -m pip install --quiet --group models '$(TORCH_REQUIREMENT)'

models: models-packages
	$(BIN)/python -m pytest tests/python/existing_models/test_real_models.py

# Without dependencies, so that none brings a PyTorch or numpy of its own: requirements.txt names them all.
RUNTIMES := $(BUILD)/runtimes
runtimes: build
	$(PYTHON) -m venv --clear $(RUNTIMES)
	$(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' > $$($(RUNTIMES)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/torch_elu.pth
	$(RUNTIMES)/bin/python -m pip install --quiet --no-deps --requirement tests/python/runtimes/requirements.txt
	$(RUNTIMES)/bin/python -m pytest tests/python/runtimes

bench-models: models-packages
	$(BIN)/python -m benchmarks.models

bench: build
	$(BIN)/python -m benchmarks.activations --output $(BUILD)/bench

memory: build
	$(BIN)/python -m benchmarks.memory --output $(BUILD)/memory

pictures: build
	$(BIN)/python -m docs.draw --build $(BUILD)
	$(BIN)/python -m docs.measurements

docs: build
	$(BIN)/python -m pip install --quiet --group docs
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs $(BUILD)/docs

# In an environment of its own, without PyTorch.
WHEEL_TOOLS := $(BUILD)/wheel-tools/bin/python
WHEEL_OPTIONS ?=
wheel:
	$(PYTHON) -m venv $(BUILD)/wheel-tools
	$(WHEEL_TOOLS) -m pip install --quiet --upgrade 'pip>=25.1'
	$(WHEEL_TOOLS) -m pip install --quiet --group build
	$(WHEEL_TOOLS) tools/build_wheel.py --output $(BUILD)/wheel $(WHEEL_OPTIONS)
	$(WHEEL_TOOLS) tools/check_wheel.py $(BUILD)/wheel/*.whl

test-wheel: wheel
	$(WHEEL_TOOLS) tools/test_wheel.py $(BUILD)/wheel/*.whl

# With the PyTorch at hand, in .venv, else beside python3, and without a network: it sets up nothing. A PYTHON that
# was given is in its environment.
gpu: export PATH := $(OUTER_PATH)
gpu:
	tools/gpu.sh

exhaustive: build
	$(CONFIGURE_TESTS)
	cmake --build $(BUILD)/tests --target exhaustive
	$(BUILD)/tests/exhaustive

largest-errors: build
	$(CONFIGURE_TESTS)
	cmake --build $(BUILD)/tests --target largest_errors
	$(BUILD)/tests/largest_errors full
	$(BUILD)/tests/largest_errors elu 61 100
	$(BUILD)/tests/largest_errors celu 61 60
	$(BUILD)/tests/largest_errors all 61 60
	$(BUILD)/tests/largest_errors double 1000000 100

arm: build
	PYTHON=$(BIN)/python tools/arm.sh $(BUILD)/arm

pytorch-tests: build
	PYTHON=$(BIN)/python tools/pytorch_tests.sh $(PYTORCH)

# Robustness: docs/reliability.md has what these found.
FUZZ_SECONDS ?= 60

sanitize: build
	tools/sanitize.sh address $(BUILD)/address
	tools/sanitize.sh thread $(BUILD)/thread

# valgrind hides AVX-512 from the program: baseline and AVX2 run, and AVX-512 as SIMDe emulates it, where that is installed.
valgrind: ctest
	valgrind --quiet --error-exitcode=1 $(BUILD)/tests/kernels_test --gtest_filter='KernelBounds*'
	if [[ -x $(BUILD)/tests/emulated_avx512_test ]]; then valgrind --quiet --error-exitcode=1 $(BUILD)/tests/emulated_avx512_test --gtest_filter='KernelBounds*'; fi

fuzz: build
	tools/fuzz.sh $(BUILD)/fuzz $(FUZZ_SECONDS)

properties: build
	$(BIN)/python -m pytest tests/python/numerics/test_properties.py --hypothesis-profile=long

slow: build
	$(BIN)/python -m pytest --slow -m slow

nox: build
	$(BIN)/python -m pip install --quiet --group nox
	$(BIN)/python -m nox

# The oldest PyTorch, beside .venv, whose NVIDIA libraries serve it too (of another minor version of CUDA; the one that only
# it asks for comes along), and the laptop without a CUDA toolkit: a build without CUDA kernels. nvcc is hidden by a PATH of
# its own.
OLDEST := $(CURDIR)/$(BUILD)/oldest
ON_OLDEST = PATH=$(BIN):/usr/bin:/bin CUDACXX= PYTHONPATH=$(OLDEST) LD_LIBRARY_PATH=$$(echo $(CURDIR)/$(VENV)/lib/python*/site-packages/nvidia/*/lib | tr ' ' :)

$(OLDEST)/torch: pyproject.toml | $(TORCH_STAMP)
	rm -rf $(OLDEST)
	$(BIN)/python -m pip install --quiet --no-deps --target $(OLDEST) "torch==$$(grep -Eom1 'torch>=[0-9.]+' pyproject.toml | cut -d= -f2).*" nvidia-curand
	touch $@

test-oldest: build $(OLDEST)/torch
	$(ON_OLDEST) TORCH_ELU_CUDA=0 TORCH_ELU_BUILD_DIR=$(BUILD)/package-oldest $(BIN)/python -m pip install --quiet --no-build-isolation --no-deps --upgrade --target $(OLDEST) .
	$(ON_OLDEST) $(BIN)/python -m torch_elu | grep 'CUDA kernels: *not built'
	$(ON_OLDEST) $(BIN)/python -m torch_elu check
	$(ON_OLDEST) $(BIN)/python -m pytest -q --numprocesses auto tests/python/numerics/test_values.py tests/python/autograd/test_autograd.py tests/python/existing_models/test_convert.py tests/python/scripting

# And the consumer project on it.
test-without-cuda: test-oldest
	$(ON_OLDEST) cmake -S tests/consumer -B $(BUILD)/consumer-oldest -G Ninja "-DCMAKE_PREFIX_PATH=$$($(ON_OLDEST) $(BIN)/python -c 'import torch, torch_elu; print(torch_elu.cmake_prefix_path, torch.utils.cmake_prefix_path, sep=";")')" -DPython_EXECUTABLE=$(BIN)/python
	$(ON_OLDEST) cmake --build $(BUILD)/consumer-oldest
	$(ON_OLDEST) ctest --test-dir $(BUILD)/consumer-oldest --output-on-failure

CPP_FILES = $(shell git ls-files 'csrc/*.h' 'csrc/*.cpp' 'csrc/*.cu' 'tests/*.cpp' 'tests/*.h' 'examples/*.h' 'examples/*.cpp' 'benchmarks/*.cpp')

lint: build tidy cppcheck
	ruff check .
	ruff format --check .
	mypy
	clang-format --dry-run --Werror $(CPP_FILES)

# Most of the time that lint takes.
tidy: build
	tools/clang-tidy.sh $(BUILD)/package

# Where it is installed (Debian: cppcheck). It cannot read GoogleTest's typed tests nor a lambda over templates,
# which are left out; constants of a base are replaced on purpose, and of style clang-tidy knows more.
cppcheck:
	if command -v cppcheck >/dev/null; then \
	  cppcheck --quiet --error-exitcode=1 --std=c++20 --language=c++ --enable=warning,performance,portability \
	    --suppress=missingIncludeSystem --suppress=duplInheritedMember --inline-suppr -i csrc/dispatch/cuda.cpp -i csrc/dispatch/parametric_cuda.cpp -I csrc -I csrc/include csrc examples benchmarks tests/consumer tests/fuzz; \
	else echo 'cppcheck is not installed: left out'; fi

format:
	ruff check --fix .
	ruff format .
	clang-format -i $(CPP_FILES)

clean:
	rm -rf $(BUILD) $(VENV) *.egg-info python/*.egg-info
