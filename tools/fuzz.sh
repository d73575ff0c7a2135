#!/usr/bin/env bash
# Builds the library with clang, its coverage and its sanitizers, and lets libFuzzer call the operators for so long.
#   tools/fuzz.sh build/fuzz 60
set -euo pipefail
cd "$(dirname "$0")/.."
build=$1
seconds=$2
torch=$(python -c 'import torch; print(torch.__path__[0])')
flags="-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -O1 -g1"

cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Debug "-DCMAKE_CXX_COMPILER=${CLANG:-clang++}" \
  "-DCMAKE_CXX_FLAGS=$flags" -DCMAKE_CXX_FLAGS_DEBUG= -DPython_EXECUTABLE="$(command -v python)" \
  "-DTorchELU_TORCH_ROOT=$torch" -DTORCH_ELU_CUDA=0 -DBUILD_TESTING=ON -DTORCH_ELU_LIBFUZZER=ON
cmake --build "$build" --target operator_fuzzer
mkdir -p "$build/corpus"
# Containers that PyTorch filled carry none of the marks that this check looks for.
export ASAN_OPTIONS=detect_container_overflow=0 UBSAN_OPTIONS=print_stacktrace=1
"$build/tests/operator_fuzzer" -max_total_time="$seconds" -max_len=96 -len_control=0 -print_final_stats=1 \
  -artifact_prefix="$build/" "$build/corpus"
