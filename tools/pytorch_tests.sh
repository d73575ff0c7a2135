#!/bin/sh
# PyTorch's own tests of elu, selu and celu, from its tables op_db and module_db: plain, with our functions and modules in
# their place, and under override_aten.
#   tools/pytorch_tests.sh SOURCES [FILE...]   a source tree of PyTorch, best of the installed version
# Prints a line for each file and way. Fails where a test passes plain and fails with our kernels.
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
sources=${1:-}
if [ ! -e "$sources/test/test_ops_gradients.py" ]; then
  echo "pytorch_tests: ${sources:-no folder} is no source tree of PyTorch, where test/test_ops_gradients.py would be." >&2
  exit 1
fi
out=$PWD/build/pytorch_tests
mkdir -p "$out"
here=$PWD/tests/pytorch
only='functional_elu or functional_selu or functional_celu or nn_ELU or nn_SELU or nn_CELU'
wrong=0
shift
[ $# -gt 0 ] || set -- test_ops test_ops_gradients test_ops_fwd_gradients test_ops_jit test_modules test_meta functorch/test_ops
cd "$sources/test"
for file in "$@"; do
  for way in plain swapped override; do
    log=$out/$(basename "$(dirname "$file")")-$(basename "$file")-$way
    ELU_WAY=$way PYTHONPATH=$here${PYTHONPATH:+:$PYTHONPATH} "$python" -m pytest -c /dev/null --rootdir . --noconftest -p ways -p no:cacheprovider -q -rfE --tb=short \
      -k "$only" "$file.py" >"$log.txt" 2>&1 || true
    sed -n 's/^\(FAILED\|ERROR\) \([^ ]*\).*/\2/p' "$log.txt" | sort >"$log.failed"
    printf '%-24s %-9s %s\n' "$file" "$way" "$(tail -n 1 "$log.txt")"
    [ "$way" = plain ] && plain=$log
    if [ -n "$(comm -13 "$plain.failed" "$log.failed")" ]; then
      comm -13 "$plain.failed" "$log.failed"
      wrong=1
    fi
    # A file that needs another version of PyTorch.
    grep -q '^ERROR .*\.py' "$log.txt" && break
  done
done
exit $wrong
