"""docs/measurements.md, from docs/measured/: `python -m docs.measurements`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.tables import format_table

DOCS = Path(__file__).parent
PAGE = DOCS / "measurements.md"

HEAD = """\
# Measurements

The commands behind the figures of these pages, and the commits at which they ran. Where that
commit was not noted, it is the one that added the figure. `python -m docs.measurements` writes this
page from `docs/measured/`, which has a file for each machine. The benchmarks add to such a file
with `--json`:

```console
python -m benchmarks.registration --json docs/measured/zen3.json
```
"""


def format_measurement(measurement: dict[str, Any]) -> str:
    """Where the figures stand, and how they came about."""
    commit, note = measurement["commit"], measurement.get("note", "")
    parts = [f"**[{measurement['what']}]({measurement['page']})**, commit {commit}"]
    parts[0] += f", {note}." if note else "."
    if measurement["commands"]:
        parts.append("\n".join(["```console", *measurement["commands"], "```"]))
    if "rows" in measurement:
        parts.append(format_table(measurement["header"], measurement["rows"]))
    return "\n\n".join(parts)


def format_page() -> str:
    """All machines."""
    parts = [HEAD]
    for file in sorted((DOCS / "measured").glob("*.json")):
        document = json.loads(file.read_text(encoding="utf-8"))
        parts.append(f"## {document['machine']}\n")
        parts += [format_measurement(each) + "\n" for each in document["measurements"]]
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(format_page(), encoding="utf-8")
