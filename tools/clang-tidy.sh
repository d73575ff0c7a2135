#!/usr/bin/env bash
# clang-tidy over this project's own C++ files, with the compile commands of a build folder.
#   tools/clang-tidy.sh build/package
set -euo pipefail

# The wheel's clang-tidy comes without compiler headers: clang's serve, else GCC's. Of these it cannot read immintrin.h,
# so that kernels.cpp has to be left out.
headers=$(clang -print-resource-dir 2>/dev/null || true)/include
left_out=
if [[ ! -f $headers/immintrin.h ]]; then
  headers=$(dirname "$(g++ -print-file-name=include/stddef.h)")
  left_out=kernels.cpp
  echo "tidy: no headers of clang here: kernels.cpp is left out" >&2
fi
python - "$1" "$left_out" <<'PYTHON' | sort -u | xargs -r -P "$(nproc)" -n 1 \
  clang-tidy --quiet -p "$1" --extra-arg="-isystem$headers"
import json, pathlib, sys

root = pathlib.Path.cwd()
build = pathlib.Path(sys.argv[1]).resolve()
for entry in json.loads((build / "compile_commands.json").read_text()):
    file = (pathlib.Path(entry["directory"]) / entry["file"]).resolve()
    if file.name != sys.argv[2] and file.suffix == ".cpp" and file.is_relative_to(root) and not file.is_relative_to(root / "build"):
        print(file)
PYTHON
