#!/bin/sh
# The whole product on aarch64, cross-compiled and emulated: the kernels' tests and their digests against this machine's,
# the library and its C++ tests, and the consumer project with models that were saved on this machine.
#   QEMU     qemu-aarch64, 10 or newer: 7.2 crashes in PyTorch's cpuinfo. Debian 13: apt-get download qemu-user,
#            dpkg -x qemu-user_*.deb FOLDER, QEMU=FOLDER/usr/bin/qemu-aarch64; no root needed
#   SYSROOT  the C and C++ libraries of aarch64; Debian's g++-aarch64-linux-gnu brings /usr/aarch64-linux-gnu
#   PYTHON   with PyTorch and this package, to save the models (default: python3)
#   GTEST    the sources of GoogleTest; Debian: googletest
# PyTorch's wheel for aarch64 comes by pip (0.5 GB), of PYTHON's version.
set -eu
cd "$(dirname "$0")/.."
build=$PWD/${1:-build/arm}
qemu=${QEMU:-qemu-aarch64}
sysroot=${SYSROOT:-/usr/aarch64-linux-gnu}
python=${PYTHON:-python3}
gtest=${GTEST:-/usr/src/googletest}
cross=aarch64-linux-gnu-g++

stop() {
  echo "arm: $1" >&2
  exit 1
}
command -v "$cross" >/dev/null || stop "$cross is not installed: install g++-aarch64-linux-gnu."
version=$("$qemu" --version 2>/dev/null | sed -n 's/^qemu-aarch64 version \([0-9]*\).*/\1/p')
[ -n "$version" ] || stop "$qemu is no qemu-aarch64: install qemu-user 10 or newer, or set QEMU=, see tools/arm.sh."
[ "$version" -ge 10 ] || stop "$qemu is version $version; PyTorch needs 10 or newer: set QEMU=, see tools/arm.sh."
[ -e "$sysroot/lib/ld-linux-aarch64.so.1" ] || stop "$sysroot has no lib/ld-linux-aarch64.so.1: set SYSROOT= to the root of aarch64's C library, see tools/arm.sh."
[ -e "$gtest/CMakeLists.txt" ] || stop "$gtest has no sources of GoogleTest: install googletest, or set GTEST=."
torch_version=$("$python" -c 'import torch, torch_elu; print(torch.__version__.partition("+")[0])' 2>/dev/null) ||
  stop "$python cannot import torch and torch_elu: run make build, or set PYTHON=."

# Without libtorch_cuda.so and the gigabytes of libraries behind it: an empty one, from which nothing is called.
site=$build/site-$torch_version
if [ ! -e "$site/complete" ]; then
  "$python" -m pip download --quiet --no-deps --only-binary=:all: --platform manylinux_2_28_aarch64 --platform manylinux_2_25_aarch64 --platform manylinux2014_aarch64 \
    --dest "$build/wheels" "torch==$torch_version" 'nvidia-cuda-runtime==13.*' 'nvidia-cuda-cupti==13.*'
  for wheel in "$build/wheels/torch-$torch_version"*.whl "$build"/wheels/nvidia_*.whl; do
    unzip -qo "$wheel" 'torch/include/*' 'torch/lib/*' torch/version.py 'nvidia/*' -x '*/libtorch_cuda*.so' -d "$site" 2>/dev/null ||
      [ $? -eq 11 ]  # a name that this wheel has not
  done
  echo 'void torch_elu_empty() {}' | $cross -x c++ -shared -fPIC -Wl,-soname,libtorch_cuda.so -o "$site/torch/lib/libtorch_cuda.so" -
  touch "$site/complete"
fi
nvidia=$(echo "$site"/nvidia/*/lib | tr ' ' :)
on_arm="$qemu -L $sysroot -E LD_LIBRARY_PATH=$site/torch/lib:$nvidia"

configure() {
  source=$1 binary=$2
  shift 2
  cmake -S "$source" -B "$binary" -G Ninja "-DTorchELU_TORCH_ROOT=$site/torch" "-DPython_EXECUTABLE=$(command -v "$python")" \
    -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=aarch64 -DCMAKE_CXX_COMPILER=$cross \
    "-DCMAKE_CROSSCOMPILING_EMULATOR=$(echo "$on_arm" | tr ' ' ';')" -DCMAKE_EXE_LINKER_FLAGS=-Wl,--allow-shlib-undefined \
    "$@"
}
configure . "$build/library" -DBUILD_TESTING=ON -DTORCH_ELU_CUDA=0 -DCMAKE_DISABLE_FIND_PACKAGE_GTest=ON \
  "-DFETCHCONTENT_SOURCE_DIR_GOOGLETEST=$gtest" -DBUILD_GMOCK=OFF -DINSTALL_GTEST=OFF
cmake --build "$build/library" --target kernels_test exhaustive api_test memory_test
tests=$build/library/tests

flags="-std=c++20 -O2 -ffp-contract=off -Icsrc"
$cross $flags tests/cpp/digests.cpp "$tests/libkernels.a" -o "$build/digests"
${CXX:-g++} $flags $(sed -n 's/^set(TORCH_ELU_KERNEL_FLAGS \(.*\))$/\1/p' cmake/Kernels.cmake) -DTORCH_ELU_SIMD=baseline \
  -DTORCH_ELU_BASELINE_ONLY tests/cpp/digests.cpp csrc/kernels/cpu/kernels.cpp -o "$build/digests_here"
$on_arm "$build/digests" >"$build/digests.txt"
"$build/digests_here" >"$build/digests_here.txt"
diff "$build/digests_here.txt" "$build/digests.txt"
echo "aarch64 and $(uname -m): the same $(wc -l <"$build/digests.txt") digests"

ctest --test-dir "$build/library" --output-on-failure -R '^(hot_loops|api|memory)$'

# An app of somebody else, with models that this machine saved. An AOTInductor package holds code of this machine.
cmake --install "$build/library" --prefix "$build/installed"
configure tests/consumer "$build/consumer" "-DCMAKE_PREFIX_PATH=$build/installed" -DTORCH_ELU_FROM=package
cmake --build "$build/consumer"
ctest --test-dir "$build/consumer" --output-on-failure -E load_package

# What takes longest: every size at every address, and of the halves every number.
$on_arm "$tests/exhaustive" --every 99991
$on_arm "$tests/kernels_test" --gtest_brief=1
