#!/bin/sh
# The kernels and their tests on aarch64, cross-compiled and emulated (Debian packages:
# g++-aarch64-linux-gnu, qemu-user, googletest), and their digests against those of this machine.
set -eu
cd "$(dirname "$0")/.."
build=${1:-build/arm}
gtest=${GTEST:-/usr/src/googletest/googletest}
mkdir -p "$build"
flags="-std=c++20 -O2 -ffp-contract=off -Icsrc -I$gtest/include -I$gtest"
kernels="$flags $(sed -n 's/^set(TORCH_ELU_KERNEL_FLAGS \(.*\))$/\1/p' cmake/Kernels.cmake) -DTORCH_ELU_SIMD=baseline"
tests="tests/cpp/bounds_test.cpp tests/cpp/formula_test.cpp tests/cpp/kernels_test.cpp"

cross=aarch64-linux-gnu-g++
$cross $kernels -c csrc/kernels/cpu/kernels.cpp -o "$build/kernels.o"
$cross $flags $tests "$gtest/src/gtest-all.cc" "$gtest/src/gtest_main.cc" "$build/kernels.o" \
  -o "$build/kernels_test" -static -pthread
$cross $flags tests/cpp/digests.cpp "$build/kernels.o" -o "$build/digests" -static
python3 tests/cpp/hot_loops.py --objdump aarch64-linux-gnu-objdump "$build/kernels.o"

${CXX:-g++} $kernels -c csrc/kernels/cpu/kernels.cpp -o "$build/here.o"
${CXX:-g++} $flags -DTORCH_ELU_BASELINE_ONLY tests/cpp/digests.cpp "$build/here.o" -o "$build/digests_here"

qemu-aarch64 "$build/kernels_test" --gtest_brief=1
qemu-aarch64 "$build/digests" >"$build/digests.txt"
"$build/digests_here" >"$build/digests_here.txt"
diff "$build/digests_here.txt" "$build/digests.txt"
echo "aarch64 and $(uname -m): the same $(wc -l <"$build/digests.txt") digests"
