"""Makes a project of its own from this one: one elementwise operator, its kernels and its tests.

python tools/new_operator.py NAME DIRECTORY

What differs from this project's files stands in tools/new_operator/, under the same paths and names
(torch_elu, elu). A line ``//= name`` there takes the paragraph of C++ that defines `name` from this
project's file of the same path, without the arguments that only ELU has; ``//= until name`` takes
all that stands before it. Headers that the C++ sources include and that are not there come along as
they are.
"""

from __future__ import annotations

import argparse
import importlib.util
import keyword
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TEMPLATES = ROOT / "tools" / "new_operator"
COPIED = [
    ".clang-format",
    ".gitignore",
    "LICENSE",
    "MANIFEST.in",
    "version.txt",
    "CMakeLists.txt",
    "setup.py",
    "cmake/*",
    "csrc/*.map",
    "csrc/compat/*",
    "csrc/kernels/cpu/simd/*.h",
    "csrc/dispatch/capability.cpp",
    "csrc/kernels/*/*.map",
    "python/torch_elu/_library.py",
    "python/torch_elu/_build_info.pyi",
    "python/torch_elu/py.typed",
    "tests/consumer/load_model.cpp",
]
NOT_COPIED = ["cmake/PythonBindings.cmake"]

CPP_KEYWORDS = (
    "case|const|default|delete|enum|new|operator|private|public|register|short|signed|static|"
    "struct|switch|template|this|typename|union|unsigned|using|virtual|void|volatile"
)

# Of ELU's arguments the new operator has alpha and is_result.
ARGUMENT = r"(?:const at::Scalar& |bool )?(?:/\*)?(?:&\w+::)?(?:scale|input_scale|save_output)\b"
EXTRA_ARGUMENTS = re.compile(rf",\s*{ARGUMENT}(?:\*/)?(?![=.(])")

# What is said of files that do not come along, whatever the breaks of its lines.
UNSAID = {
    " tests/cpp/one_definition.py shows that no two objects define the same function.": "",
    ", and tests/cpp/hot_loops.py finds the loops by its name.": ".",
    "\n# tools/arm.sh reads this line, too.": "",
    " One for the long function of general.h.": "",
    " So unit_value, which has to keep a zero's sign, is for the CPU alone.": "",
    ": docs/gpu/README.md.": ".",
    " (docs/gpu/README.md)": "",
    " CHANGELOG.md": "",
    "tools/build_wheel.py has put": "another build has put",
    '\n#include "kernels/cpu/parametric.h"': "",
    "PyTorch's own elu": "PyTorch's operators",
    " || defined(TORCH_ELU_EMULATED_AVX512)": "",
    "operands|parametric": "operands",
    "\n      torch_elu::cuda::Parametric*;": "",
    "\n      torch_elu::cuda_stub_kernels;": "",
}

# What the formula of ELU does without, and what is left out of a file. Each has to match.
CHANGES: dict[str, list[tuple[str, str]]] = {
    "csrc/kernels/cpu/simd/vector.h": [
        (
            r"(?=template <typename T, int bytes>\nTORCH_ELU_INLINE Less<.*> operator<)",
            "template <typename T, int bytes>\n"
            "TORCH_ELU_INLINE Vector<T, bytes> operator/(Vector<T, bytes> a, Vector<T, bytes> b) {"
            "\n  return a.v / b.v;\n}\n",
        )
    ],
    "csrc/kernels/cpu/simd/pair.h": [
        (
            r"(?=template <typename V>\nTORCH_ELU_INLINE auto operator<)",
            "template <typename V>\nTORCH_ELU_INLINE Pair<V> operator/(Pair<V> a, Pair<V> b) {\n"
            "  return {a.first / b.first, a.second / b.second};\n}\n",
        )
    ],
    "csrc/kernels/cuda/float_pair.h": [
        (
            r"(?=TORCH_ELU_INLINE FloatMask operator<)",
            "TORCH_ELU_INLINE Floats operator/(Floats a, Floats b) {\n"
            "  return float2{a.v.x / b.v.x, a.v.y / b.v.y};\n}\n",
        )
    ],
    "CMakeLists.txt": [
        (r"\n *option\(BUILD_TESTING .*", ""),
        (r"\nif\(PROJECT_IS_TOP_LEVEL AND BUILD_TESTING\)\n(.*\n)*?endif\(\)\n", ""),
        (r"\n.*(torch_elu_python|PythonBindings|find_package\(Python ).*", ""),
    ],
    "cmake/Kernels.cmake": [
        (r" +if\(arg_EMULATED_AVX512\)\n(.*\n)*?    endif\(\)\n", ""),
        (r"  cmake_parse_arguments\(PARSE_ARGV 1 arg \"EMULATED_AVX512\" .*\n", ""),
        (r" \[EMULATED_AVX512\]", ""),
    ],
    "python/torch_elu/_library.py": [
        (r"def _load_extension\((.*\n)*?\n\n(?=\S)", ""),
        (r"\n_load_extension\(\)", ""),
    ],
}


def error_in_name(name: str) -> str | None:
    """Why the operator cannot have this name."""
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        return "it must be of lower-case letters, digits and _, and start with a letter"
    if name.startswith("torch_"):
        return f"leave torch_ out, which the package will have before it: {name[6:]}"
    if name == "elu":
        return "its package would be torch_elu, which is ours"
    if keyword.iskeyword(name) or re.fullmatch(CPP_KEYWORDS, name):
        return "it is a word of the language"
    if importlib.util.find_spec("torch") is not None:
        import torch

        if hasattr(torch.ops.aten, name) or hasattr(torch.Tensor, name):
            return "PyTorch has an operator of this name"
    return None


def paragraphs(text: str) -> list[str]:
    """Of C++: each definition with the comment before it."""
    return re.split(r"\n\n+(?=\S)", text.strip("\n"))


def defines(paragraph: str, name: str) -> bool:
    """Whether the paragraph declares or defines `name` first of all."""
    code = re.sub(r"(?m)^(//.*\n|template <.*>\n)+", "", paragraph)
    head = re.split(r"[({=;]", code, maxsplit=1)[0]
    return re.search(rf"\b{name}\b", head) is not None


def without_what_is_unsaid(text: str) -> str:
    """The text, in which a comment may break a phrase into lines."""
    for phrase, replacement in UNSAID.items():
        words = re.escape(phrase).replace(r"\ ", r"(?: |\n// )")
        text = re.sub(words, replacement, text)
    return text


def take(source: str, path: str, request: str) -> str:
    """The paragraphs of this project's file that a line ``//= request`` asks for."""
    all_of_them = paragraphs(source)
    name = request.removeprefix("until ")
    found = [i for i, paragraph in enumerate(all_of_them) if defines(paragraph, name)]
    if not found:
        sys.exit(f"new_operator.py: {path} defines no {name}, which tools/new_operator/ takes.")
    first = found[0]
    taken = all_of_them[:first] if request != name else [all_of_them[first]]
    return without_what_is_unsaid(EXTRA_ARGUMENTS.sub("", "\n\n".join(taken)))


def expanded(template: str, path: str) -> str:
    """A template with the paragraphs that it takes."""

    def replace(line: re.Match[str]) -> str:
        source = (ROOT / path).read_text(encoding="utf-8")
        return "\n\n".join(
            take(source, path, request) for request in re.findall(r"^//= (.*)$", line[0], re.M)
        )

    # A run of such lines is a run of paragraphs.
    return re.sub(r"(?:^//= .*$\n?)+(?<!\n)", replace, template, flags=re.M)


def copied(path: str) -> str:
    """A file of this project, without what the new one does not need."""
    if not (ROOT / path).is_file():
        sys.exit(f"new_operator.py: there is no {path} in {ROOT}, which the new project needs.")
    text = (ROOT / path).read_text(encoding="utf-8")
    for pattern, replacement in CHANGES.get(path, []):
        text, count = re.subn(pattern, replacement, text)
        if count == 0:
            sys.exit(f"new_operator.py: {path} has nothing like {pattern!r}, which it changes.")
    text = without_what_is_unsaid(text)
    if path.endswith(".py"):  # what a function that was left out imported
        for module in re.findall(r"^import (\S+)$", text, re.M):
            if len(re.findall(rf"\b{re.escape(module)}\b", text)) == 1:
                text = text.replace(f"import {module}\n", "")
    return text


def torch_requirement() -> str:
    """The supported versions, from pyproject.toml."""
    found = re.search(r"torch>=[0-9.]+,<[0-9.]+", (ROOT / "pyproject.toml").read_text())
    assert found is not None
    return found[0]


def files() -> dict[str, str]:
    """The new project's files by path, with this project's names."""
    result: dict[str, str] = {}
    for pattern in COPIED:
        found = sorted(str(path.relative_to(ROOT)) for path in ROOT.glob(pattern))
        if not found:
            sys.exit(f"new_operator.py: there is no {pattern} in {ROOT}.")
        result.update((path, copied(path)) for path in found if path not in NOT_COPIED)
    for file in sorted(path for path in TEMPLATES.rglob("*") if path.is_file()):
        if {"__pycache__", ".mypy_cache", ".ruff_cache"} & set(file.parts):
            continue  # what tools leave
        path = str(file.relative_to(TEMPLATES))
        result[path] = expanded(file.read_text(encoding="utf-8"), path)
    result["pyproject.toml"] = result["pyproject.toml"].replace("torch>=0", torch_requirement())
    # The headers that the sources include, and those that these include.
    waiting = list(result.items())
    while waiting:
        path, text = waiting.pop()
        for included in re.findall(r'^#include (?:"|<(?=torch_elu/))(.+)[">]$', text, re.M):
            header = f"csrc/{'include/' * included.startswith('torch_elu/')}{included}"
            if path.startswith("csrc/") and header not in result:
                result[header] = copied(header)
                waiting.append((header, result[header]))

    # The sources that did not come along.
    def keep(token: re.Match[str]) -> str:
        pattern = re.compile(re.escape(token[1]).replace(r"\*", "[^/]*"))
        return token[0] if any(map(pattern.fullmatch, result)) else ""

    result["CMakeLists.txt"] = re.sub(
        r"\s+(csrc/[\w/*]+\.(?:cpp|cu))\b", keep, result["CMakeLists.txt"]
    )
    return result


def renamed(text: str, name: str) -> str:
    """torch_elu, TorchELU, ELU, elu after the new name."""
    camel = "".join(word.capitalize() for word in name.split("_"))
    names = {"ELU": camel, "Elu": camel, "elu": name, "TORCH_ELU": f"TORCH_{name.upper()}"}
    return re.sub(r"TORCH_ELU|ELU|Elu|(?<![a-z])elu", lambda found: names[found[0]], text)


def format_sources(directory: Path) -> list[str]:
    """Breaks lines that another name has made longer or shorter. Returns the tools it misses."""
    missing = []
    sources = [path for path in directory.rglob("*") if path.suffix in (".h", ".cpp", ".cu")]
    ruff = ["ruff", "format", "--quiet", "--no-cache", "."]
    for command in (["clang-format", "-i", *map(str, sources)], ruff):
        beside = Path(sys.executable).with_name(command[0])
        tool = str(beside) if beside.exists() else shutil.which(command[0])
        if tool is not None:
            subprocess.run([tool, *command[1:]], cwd=directory, check=True)
        else:
            missing.append(" ".join(command[:2]))
    return missing


def main() -> None:
    """Checks the arguments and writes the project."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", help="of the operator, as in torch.ops.torch_NAME.NAME")
    parser.add_argument("directory", type=Path, help="for the project; new or empty")
    arguments = parser.parse_args()
    error = error_in_name(arguments.name)
    if error is not None:
        parser.error(f"NAME cannot be {arguments.name!r}: {error}.")
    directory: Path = arguments.directory
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        parser.error(f"DIRECTORY {directory} exists and is not an empty folder: name a new one.")
    for path, text in files().items():
        target = directory / renamed(path, arguments.name)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(renamed(text, arguments.name), encoding="utf-8")
    missing = format_sources(directory)
    if missing:
        print(f"Not found, so `make lint` will ask for it: {', '.join(missing)}.")
    print(f"{directory}: run `make test` there, and read CONTRIBUTING.md.")


if __name__ == "__main__":
    main()
