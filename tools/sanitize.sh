#!/usr/bin/env bash
# Builds the library and its C++ tests under a sanitizer and runs them: address (with undefined behaviour) or thread.
#   tools/sanitize.sh address build/address
# PyTorch itself is not compiled with it. What that asks for, and what PyTorch does itself, is said below.
set -euo pipefail
cd "$(dirname "$0")/.."
sanitizer=$1
build=$2
torch=$(python -c 'import torch; print(torch.__path__[0])')

case $sanitizer in
  address) flags="-fsanitize=address,undefined -fno-sanitize-recover=all" ;;
  thread) flags="-fsanitize=thread" ;;
  *) echo "expected address or thread, but got $sanitizer" >&2 && exit 2 ;;
esac
# Debug: the checks of _FORTIFY_SOURCE would take the place of the sanitizers'.
cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Debug \
  "-DCMAKE_CXX_FLAGS=$flags -O1 -g1 -fno-omit-frame-pointer" -DCMAKE_CXX_FLAGS_DEBUG= \
  -DPython_EXECUTABLE="$(command -v python)" "-DTorchELU_TORCH_ROOT=$torch" -DTORCH_ELU_CUDA=0 -DBUILD_TESTING=ON

case $sanitizer in
  address)
    # No check of stacks after return: GCC misaligns its frames for 64-byte vectors (GCC bug 110027).
    # Containers that PyTorch filled carry none of the marks that this check looks for.
    export ASAN_OPTIONS=detect_container_overflow=0:detect_stack_use_after_return=0
    export UBSAN_OPTIONS=print_stacktrace=1
    cmake --build "$build" --target kernels_test api_test operator_fuzzer
    "$build/tests/kernels_test" --gtest_brief=1
    "$build/tests/api_test" --gtest_brief=1
    "$build/tests/operator_fuzzer" 20000
    ;;
  thread)
    export TSAN_OPTIONS=suppressions=$PWD/tests/races_of_torch.txt:halt_on_error=1
    cmake --build "$build" --target api_test
    "$build/tests/api_test" --gtest_brief=1 --gtest_filter='*Threads*'
    ;;
esac
