#!/usr/bin/env bash
# Everything that needs a GPU, in one go and without a network: build, tests, sanitizers, bits, benchmark.
#   make gpu                with .venv's Python where that has PyTorch, else with python3
#   make gpu PYTHON=...     with that one
# Prints what passed, what failed and what did not run; exits with 1 where something failed. docs/gpu/README.md
set -uo pipefail
cd "$(dirname "$0")/.." || exit

out=$PWD/build/gpu
site=$out/site
logs=$out/logs
steps=$out/steps.txt

python=${PYTHON:-}
if [[ -z $python ]]; then
  python=python3
  if [[ -x .venv/bin/python ]] && .venv/bin/python -c 'import torch' 2>/dev/null; then
    python=$PWD/.venv/bin/python
  fi
fi
if ! "$python" -c 'import torch' 2>/dev/null; then
  echo "gpu: $python has no PyTorch. Install $(grep -Eom1 'torch>=[0-9.,<]+' pyproject.toml), or run make gpu PYTHON=..." >&2
  exit 1
fi
if ! "$python" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())'; then
  echo "gpu: PyTorch ($("$python" -c 'import torch; print(torch.__version__)')) sees no GPU on this machine." >&2
  echo "gpu: nothing was built, tested or measured." >&2
  exit 1
fi

rm -rf "$logs" "$steps"
mkdir -p "$logs"
record() { printf '%s\t%s\n' "$1" "$2" >>"$steps"; }
did_not_run() {
  echo "-- $1: did NOT run: $2"
  record "$1" "did NOT run: $2"
}
# Runs a command with its output in a log; a pytest or ctest summary becomes part of the outcome.
step() {
  local name=$1 log=$logs/${1// /-}.log start=$SECONDS outcome summary
  shift
  echo "-- $name ..."
  if "$@" >"$log" 2>&1; then
    outcome=passed
  else
    outcome="FAILED with exit status $?"
  fi
  summary=$(grep -E '^=+ .*([0-9] (passed|failed)|SUMMARY: )|^[0-9]+% tests' "$log" | tail -1 | sed -E 's/^=+ | =+$//g')
  record "$name" "$outcome in $((SECONDS - start)) s${summary:+: $summary}"
  echo "-- $name: $outcome in $((SECONDS - start)) s${summary:+: $summary}"
  if [[ $outcome != passed ]]; then
    tail -n 40 "$log"
  fi
}
missing_modules() {
  "$python" -c 'import importlib.util as u, sys; print(*[m for m in sys.argv[1:] if u.find_spec(m) is None])' "$@"
}
have() { command -v "$1" >/dev/null; }
# What hangs is a failure like another: the report and the exit status are still to come.
limit() { timeout --kill-after 10 "$@"; }

"$python" -c 'import torch; print(f"GPU: {torch.cuda.get_device_name()}, PyTorch {torch.__version__}")'
missing=$(missing_modules pytest mpmath hypothesis numpy matplotlib)
echo "Python modules that are missing here: ${missing:-none}"

# As setup.py does, but with nothing of pip and setuptools.
build() {
  local torch generator=()
  torch=$("$python" -c 'import torch; print(torch.__path__[0])')
  have ninja && generator=(-G Ninja)
  mkdir -p "$site/torch_elu" && cp -r python/torch_elu/. "$site/torch_elu" &&
    cmake -S . -B "$out/package" "${generator[@]}" "-DCMAKE_INSTALL_PREFIX=$site/torch_elu" \
      "-DTorchELU_TORCH_ROOT=$torch" "-DPython_EXECUTABLE=$("$python" -c 'import sys; print(sys.executable)')" \
      -DTORCH_ELU_PYTHON=ON -DTORCH_ELU_CUDA=1 &&
    limit 480 cmake --build "$out/package" && cmake --install "$out/package"
}
TORCH_CUDA_ARCH_LIST=${TORCH_CUDA_ARCH_LIST:-$("$python" -c 'import torch; print("%d.%d+PTX" % torch.cuda.get_device_capability())')}
export TORCH_CUDA_ARCH_LIST
CMAKE_BUILD_PARALLEL_LEVEL=$(nproc)
export CMAKE_BUILD_PARALLEL_LEVEL
# The cmake and ninja of that Python come first.
PATH=$("$python" -c 'import sysconfig; print(sysconfig.get_path("scripts"))'):$PATH
have nvcc || PATH=$PATH:${CUDA_HOME:-/usr/local/cuda}/bin
export PATH
step build build
if grep -q '^build.*FAILED' "$steps"; then
  echo "gpu: without a build nothing else can run" >&2
  exit 1
fi
export PYTHONPATH=$site${PYTHONPATH:+:$PYTHONPATH}
"$python" -m torch_elu

# ctest and the sanitizers need little of the GPU: they run beside pytest and the comparison of bits.
test_in_cpp() {
  local prefix libraries
  prefix="$("$python" -c 'import torch, torch_elu; print(torch_elu.cmake_prefix_path, torch.utils.cmake_prefix_path, sep=";")')"
  libraries=$("$python" -c 'import glob, torch; root = torch.__path__[0]; print(root + "/lib", *glob.glob(root + "/../nvidia/*/lib"), sep=":")')
  cmake -S tests -B "$out/tests" "-DCMAKE_PREFIX_PATH=$prefix" \
    "-DPython_EXECUTABLE=$("$python" -c 'import sys; print(sys.executable)')" &&
    limit 480 cmake --build "$out/tests" &&
    LD_LIBRARY_PATH=$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} limit 480 ctest --test-dir "$out/tests" --exclude-regex consumer_of_sources --output-on-failure -j "$(nproc)"
}
has_googletest() {
  mkdir -p "$out/googletest" &&
    printf 'cmake_minimum_required(VERSION 3.24)\nproject(find CXX)\nfind_package(GTest REQUIRED)\n' >"$out/googletest/CMakeLists.txt" &&
    cmake -S "$out/googletest" -B "$out/googletest/build" >"$logs/googletest.log" 2>&1
}
sanitizers() {
  local only=() help tool
  # Only our kernels, by a part of their mangled names: the option's name depends on the version.
  help=$(compute-sanitizer --help)
  if grep -q -- --kernel-name <<<"$help"; then
    only=(--kernel-name kns=torch_elu)
  elif grep -q -- --kernel-regex <<<"$help"; then
    only=(--kernel-regex kns=torch_elu)
  fi
  for tool in memcheck racecheck initcheck synccheck; do
    step "compute-sanitizer $tool" limit 240 compute-sanitizer --tool $tool --error-exitcode 9 "${only[@]}" \
      "$python" tests/python/support/cuda_memory.py &
  done
  wait
}
if has_googletest; then
  step ctest test_in_cpp &
else
  did_not_run ctest "GoogleTest is not installed"
fi
if have compute-sanitizer; then
  sanitizers &
else
  did_not_run compute-sanitizer "it is not installed"
fi
if [[ " $missing " == *" pytest "* || " $missing " == *" numpy "* ]]; then
  did_not_run pytest "missing:$(grep -Eo ' (pytest|numpy)' <<<" $missing" | tr -d '\n')"
else
  tests=(tests/python/cuda/test_{cuda_code,cuda_runtime}.py)
  if [[ " $missing " == *" mpmath "* || " $missing " == *" hypothesis "* ]]; then
    did_not_run "pytest of the rest" "missing:$(grep -Eo ' (mpmath|hypothesis)' <<<" $missing" | tr -d '\n')"
  else
    tests+=(tests/python/cuda/test_{cuda,cuda_override_aten}.py tests/python/compile/test_{export,inductor,inductor_bits}.py tests/python/integrations/test_unusual_tensors.py)
  fi
  in_parallel=()
  [[ -n $(missing_modules xdist) ]] || in_parallel=(--numprocesses 4 --dist loadfile)
  step pytest limit 480 "$python" -m pytest "${in_parallel[@]}" -k cuda "${tests[@]}"
  grep -h '^SKIPPED' "$logs/pytest.log"
fi
step "bits of GPU and CPU" limit 240 "$python" tests/python/support/cuda_bits.py
tail -n 1 "$logs/bits-of-GPU-and-CPU.log"
wait

[[ " $missing " != *" matplotlib "* ]] || did_not_run picture "matplotlib is missing"
step benchmark limit 480 "$python" -m benchmarks.gpu --output "$out" --steps "$steps"
sed -n '/^GPU:/,$p' "$logs/benchmark.log"

echo
echo "After $SECONDS s:"
column -t -s $'\t' "$steps" 2>/dev/null || cat "$steps"
if grep -q FAILED "$steps"; then
  exit 1
fi
