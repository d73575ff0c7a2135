"""What the docstrings and the README show runs as it stands, and what they quote is there."""

from __future__ import annotations

import doctest
import inspect
import re
import shlex
import subprocess
import timeit
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
import torch
import torch_elu
import torch_elu._library
import torch_elu.conversion
import torch_elu.functional
import torch_elu.integrations.onnx
import torch_elu.modules
import torch_elu.override

REPOSITORY = Path(__file__).parents[3]
README = REPOSITORY / "README.md"


@pytest.mark.parametrize(
    "module",
    [
        torch_elu,
        torch_elu.conversion,
        torch_elu.functional,
        torch_elu.modules,
        torch_elu.override,
        torch_elu._library,
        torch_elu.integrations.onnx,
    ],
    ids=lambda module: module.__name__,
)
def test_examples_of_the_docstrings_run(module: ModuleType) -> None:
    results = doctest.testmod(module)
    assert results.attempted > 0
    assert results.failed == 0


@pytest.mark.parametrize("name", [n for n in torch_elu.__all__ if callable(getattr(torch_elu, n))])
def test_every_public_docstring_has_an_example_and_its_arguments(name: str) -> None:
    public = getattr(torch_elu, name)
    assert ">>> " in public.__doc__
    for argument in inspect.signature(public).parameters:
        assert re.search(rf"^ *{argument}: ", public.__doc__, re.MULTILINE), argument


def fenced_blocks(language: str, page: Path = README) -> Iterator[tuple[int, str]]:
    """The first line's number and the text of each block in that language."""
    opened, first, block = None, 0, []
    for number, line in enumerate(page.read_text().splitlines(), start=1):
        if not line.startswith("```"):
            block.append(line)
        elif opened is None:
            opened, first, block = line[3:], number + 1, []
        else:
            if opened == language:
                yield first, "\n".join(block)
            opened = None


PAGES = sorted((REPOSITORY / "docs").rglob("*.md"))


@pytest.mark.parametrize(
    ("page", "line", "code"),
    [(page, *block) for page in [README, *PAGES] for block in fenced_blocks("python", page)],
    ids=lambda value: value.stem if isinstance(value, Path) else str(value)[:10],
)
def test_python_on_the_pages_runs_as_it_stands(
    page: Path, line: int, code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # In names of its own, and so that errors show page and line; a process would load PyTorch.
    monkeypatch.chdir(tmp_path)  # where it saves a model
    exec(compile("\n" * (line - 1) + code, page, "exec"), {"__name__": "__main__"})


def commands(pattern: str) -> list[str]:
    """The lines of the console blocks that match, without their comments."""
    blocks = [code for page in [README, *PAGES] for _, code in fenced_blocks("console", page)]
    lines = [line.partition(" #")[0].strip() for block in blocks for line in block.splitlines()]
    return sorted({line for line in lines if re.match(pattern, line)})


@pytest.mark.parametrize("command", commands(r"(\S+=\S+ )*python -m timeit "))
def test_every_command_that_gave_a_time_can_be_run(
    command: str, capsys: pytest.CaptureFixture[str], threads: Callable[[int], None]
) -> None:
    # In this process, which the settings of memory before `python` come too late for.
    once = re.sub(r"-n \d+( -r \d+)?", "-n 1 -r 1", command)
    words = shlex.split(once.replace("1 << 24", "1 << 10"))
    assert timeit.main(words[words.index("timeit") + 1 :]) is None  # or 1, after a traceback
    assert "loop, best of 1:" in capsys.readouterr().out


WORKFLOW = REPOSITORY / ".github" / "workflows" / "build.yml"


@pytest.mark.parametrize(
    "command", sorted({*commands("make "), *re.findall(r"make \w+", WORKFLOW.read_text())})
)
def test_every_target_of_make_on_the_pages_and_in_the_workflow_exists(command: str) -> None:
    subprocess.run([*command.split(), "--dry-run"], cwd=REPOSITORY, check=True, capture_output=True)


def test_the_readme_has_python_cpp_and_console_blocks() -> None:
    assert all(list(fenced_blocks(language)) for language in ("python", "cpp", "cmake", "console"))


def test_pictures_of_the_pages_exist() -> None:
    pictures = {
        page.parent / name
        for page in [README, *PAGES]
        for name in re.findall(r"!\[[^\]]+\]\((.+?)\)", page.read_text())
    }
    assert pictures
    missing = [name for name in pictures if not name.is_file()]
    assert not missing, "run `make bench demo memory pictures`"


@pytest.mark.parametrize(
    "mistake",
    [
        lambda: torch_elu.elu(torch.ones(3, dtype=torch.int32)),
        lambda: torch_elu.elu(torch.ones(3, requires_grad=True), -1, save="output"),
        lambda: torch_elu.elu(torch.ones(3), 1e300),
    ],
    ids=["dtype", "negative alpha", "overflow"],
)
def test_the_pages_explain_the_errors_that_come(mistake: Callable[[], object]) -> None:
    with pytest.raises((RuntimeError, NotImplementedError)) as raised:
        mistake()
    section = (REPOSITORY / "docs" / "troubleshooting.md").read_text()
    explained = [message.split("...") for message in re.findall(r"^\| `(.*?)`", section, re.M)]
    assert any(all(part in str(raised.value) for part in message) for message in explained)


COMPATIBILITY = (REPOSITORY / "docs" / "compatibility.md").read_text()


def features() -> list[str]:
    """The first cells of the tables of features."""
    tables = re.findall(r"^\| feature \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", COMPATIBILITY, re.MULTILINE)
    assert tables
    return [row.split("|")[1].strip() for table in tables for row in table.splitlines()]


@pytest.mark.parametrize("feature", features())
def test_each_feature_names_the_tests_that_show_it(feature: str) -> None:
    (details,) = re.findall(
        rf"^- \*\*{re.escape(feature)}\*\*:(.*(?:\n  .*)*)", COMPATIBILITY, re.MULTILINE
    )
    named = re.findall(r"`([\w/]+\.(?:py|cpp))(?:::(\w+))?`", details)
    assert named
    for file, test in named:
        below = "tests/python" if file.endswith(".py") else "tests"
        text = (REPOSITORY / below / file).read_text()
        assert f"\ndef {test}(" in text if file.endswith(".py") else not test, (file, test)


def anchors(page: Path) -> set[str]:
    """Of its headings, as GitHub and MyST make them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}


def test_links_lead_to_files_and_headings() -> None:
    pages = [README, *(REPOSITORY / name for name in ("CONTRIBUTING.md", "CHANGELOG.md")), *PAGES]
    for page in pages:
        for name, anchor in re.findall(r"\]\((?!http)([^)#\s]*)#?([^)\s]*)\)", page.read_text()):
            target = page.parent / name if name else page
            assert target.exists(), (page.name, name)
            assert not anchor or anchor in anchors(target), (page.name, name, anchor)


def test_cells_of_tables_fit() -> None:
    for page in [README, *PAGES]:
        for line in page.read_text().splitlines():
            cells = re.split(r"(?<!\\)\|", line) if line.startswith("|") else []
            assert max(map(len, cells), default=0) <= 120, (page.name, line)


def test_files_that_the_pages_name_exist() -> None:
    for page in [README, *PAGES]:
        for name in re.findall(
            r"`((?:csrc|cmake|python|tests|tools|docs|benchmarks)/[\w./]+)", page.read_text()
        ):
            assert (REPOSITORY / name).exists(), (page.name, name)
