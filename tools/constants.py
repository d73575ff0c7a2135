"""Make the constants of csrc/math/coefficients.h, or, with --check, compare them with the file.

The polynomial: expm1(r) = r + r^2 q(r) on |r| <= ln2 / 2, with the largest error as small as the
degree allows (Remez exchange), the coefficients then rounded to the number type. Errors for r > 0
count less: they only come with n < 0, so scaled by 1/2 or less, and beside results whose last place
is worth more. (The value_polynomial of double has digits to spare, and no need of that.) For the
halves the weight is one at which every result at alpha 1 is rounded correctly, which the tests of
the kernels show.
"""

import argparse
import pathlib
import re
import sys
from typing import NamedTuple

import mpmath
from mpmath import mpf

mpmath.mp.prec = 128
LN2 = mpmath.log(2)
# n is the integer nearest to x * log2(e), but for the rounding of x * log2(e): a hair of reserve.
REACH = LN2 / 2 * (1 + mpf(2) ** -16)


class Number(NamedTuple):
    """A type of results."""

    bits: int  # of the significand that it is computed with
    coefficients: int  # of q
    weight_above: mpf  # an error for r > 0 counts this part
    of_value: tuple[int, mpf] | None  # the same two of value_polynomial; None: there is none
    ln2_high_bits: int | None  # None: all but the polynomial is as for float


NUMBERS = {
    "float": Number(24, 5, mpf(6), (6, mpf(6)), 13),
    "double": Number(53, 10, mpf(6), (11, mpf(1)), 41),
    "Float16": Number(24, 4, mpf(24), None, None),
    "BFloat16": Number(24, 3, mpf(24), None, None),
}


def rounded(value: mpf, bits: int) -> mpf:
    """The nearest number with so many significand bits."""
    with mpmath.workprec(bits):
        return +value


def hexadecimal(value: mpf, suffix: str) -> str:
    """The C++ literal of a number that a double holds exactly."""
    text = float(value).hex()
    assert mpf(float(value)) == value
    mantissa, exponent = text.split("p")
    mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
    return f"{mantissa}p{int(exponent)}{suffix}"


class Fit:
    """Weighted minimax fit: Remez exchange on a grid over both sides of zero."""

    def __init__(self, count: int, weight_above: mpf, points: int = 300) -> None:
        half = [REACH * (1 - mpmath.cos(mpmath.pi * k / points)) / 2 for k in range(1, points + 1)]
        self.grid = [-r for r in reversed(half)] + half
        self.target = [(mpmath.expm1(r) - r) / r**2 for r in self.grid]
        self.weight = [r**2 * (1 if r < 0 else 1 / weight_above) for r in self.grid]
        self.coefficients = self.exchange(count)

    def errors(self, coefficients: list[mpf]) -> list[mpf]:
        """Errors of expm1, weighted."""
        highest_first = coefficients[::-1]
        points = zip(self.grid, self.target, self.weight, strict=True)
        return [w * (mpmath.polyval(highest_first, r) - t) for r, t, w in points]

    def exchange(self, count: int) -> list[mpf]:
        """The coefficients whose extreme errors are all equal, which makes the largest smallest."""
        size = len(self.grid)
        at = [
            round((1 - mpmath.cos(mpmath.pi * k / count)) / 2 * (size - 1))
            for k in range(count + 1)
        ]
        while True:
            matrix, right = mpmath.matrix(count + 1, count + 1), mpmath.matrix(count + 1, 1)
            for row, index in enumerate(at):
                for column in range(count):
                    matrix[row, column] = self.grid[index] ** column
                matrix[row, count] = (-1) ** row / self.weight[index]
                right[row] = self.target[index]
            solution = mpmath.lu_solve(matrix, right)
            coefficients = [solution[k] for k in range(count)]
            errors = self.errors(coefficients)
            if max(map(abs, errors)) <= abs(solution[count]) * (1 + mpf(2) ** -40):
                return coefficients
            at = self.extremes(errors, count + 1)

    @staticmethod
    def extremes(errors: list[mpf], count: int) -> list[int]:
        """The largest error of each run of equal sign, cut to `count` of them from the ends."""
        found: list[int] = []
        for index, error in enumerate(errors):
            if found and (errors[found[-1]] > 0) == (error > 0):
                if abs(error) > abs(errors[found[-1]]):
                    found[-1] = index
            else:
                found.append(index)
        while len(found) > count:
            found.pop(0 if abs(errors[found[0]]) < abs(errors[found[-1]]) else -1)
        return found


def constants(name: str) -> tuple[dict[str, str], tuple[mpf, mpf]]:
    """Name -> literal, as in coefficients.h; the polynomial's error bounds below and above zero."""
    number = NUMBERS[name]
    fit = Fit(number.coefficients, number.weight_above)
    coefficients = [rounded(coefficient, number.bits) for coefficient in fit.coefficients]
    errors = list(zip(fit.grid, map(abs, fit.errors(coefficients)), strict=True))
    below, above = (max(e for r, e in errors if (r > 0) == side) for side in (False, True))
    bounds = below, number.weight_above * above
    made = {"polynomial": ", ".join(hexadecimal(each, "") for each in coefficients)}
    if number.of_value is not None:
        of_value = Fit(*number.of_value).coefficients
        made["value_polynomial"] = ", ".join(
            hexadecimal(rounded(each, number.bits), "") for each in of_value
        )
    if number.ln2_high_bits is not None:
        suffix = "f" if name == "float" else ""
        ln2_high = rounded(LN2, number.ln2_high_bits)
        made["log2e"] = hexadecimal(rounded(1 / LN2, number.bits), suffix)
        made["ln2_high"] = hexadecimal(ln2_high, suffix)
        made["ln2_low"] = hexadecimal(rounded(LN2 - ln2_high, number.bits), suffix)
    return made, bounds


def saturation(name: str) -> dict[str, mpf]:
    """From where on the value is -alpha, to a bit of its rest, and 2^32 times the slope zero."""
    if name not in ("float", "double"):
        return {}
    bits = NUMBERS[name].bits
    smallest = {"float": -149, "double": -1074}[name]
    of_value, of_slope = -(2 * bits + 4), smallest - 1 - 32
    return {"value_saturation": of_value * LN2, "slope_saturation": of_slope * LN2}


def main() -> int:
    """Makes, prints and, if asked to, compares them; returns the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--check", action="store_true", help="compare with csrc/math/coefficients.h"
    )
    check = parser.parse_args().check
    header = (pathlib.Path(__file__).parent.parent / "csrc" / "math" / "coefficients.h").read_text()
    wrong = []
    for name in NUMBERS:
        struct = rf"struct Constants<{name}>(?: : Constants<float>)? {{(.*?)\n}};"
        block = re.findall(struct, header, re.DOTALL)[0]
        # Lists on one line, without the comma that may end them.
        found = {
            key: re.sub(r",?\s*}$", "", re.sub(r"\s+", " ", value).strip("{ "))
            for key, value in re.findall(
                rf"constexpr {name if name == 'float' else 'double'} (\w+)[^=;]*= ([^;]+);", block
            )
            + re.findall(r"constexpr double ((?:value_)?polynomial)[^=;]*= ([^;]+);", block)
        }
        made, (below, above) = constants(name)
        below, above = (float(mpmath.log(bound, 2)) for bound in (below, above))
        print(
            f"{name}: expm1(r) is off by less than 2^{below:.2f} for r < 0, 2^{above:.2f} for r > 0"
        )
        for key, literal in made.items():
            print(f"  {key} = {literal}")
            if found.get(key) != literal:
                wrong.append(f"{name} {key}: the file has {found.get(key)}")
        for key, point in saturation(name).items():
            print(f"  {key} beyond {float(point):.3f}")
            if not point - 1.5 < float(found[key]) < point:
                wrong.append(f"{name} {key}: the file has {found[key]}")
    ln2 = rounded(LN2, 53)
    for key, value in {"ln2": ln2, "ln2_rest": rounded(LN2 - ln2, 53)}.items():
        print(f"{key} = {hexadecimal(value, '')}")
        if f"{key} = {hexadecimal(value, '')}" not in header:
            wrong.append(f"{key}: not in the file")
    if check:
        print("\n".join(wrong) or "csrc/math/coefficients.h has exactly these")
    return 1 if check and wrong else 0


if __name__ == "__main__":
    sys.exit(main())
