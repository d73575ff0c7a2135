"""The formula's constants come from the script that derives them."""

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[3] / "tools" / "constants.py"


def test_the_constants_in_the_source_are_those_that_the_script_derives():
    result = subprocess.run(
        [sys.executable, SCRIPT, "--check"], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout
    assert "csrc/math/coefficients.h has exactly these" in result.stdout
