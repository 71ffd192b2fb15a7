"""A gap in what the contracts' tests reach is found, and a document that says otherwise."""

import pytest

from scripts.contract_coverage import MEASURED, MEASURED_ROW, WRITTEN, WRITTEN_ROW, faults, figures

MEASURED_TEXT = """
| File              | % Lines         | % Statements    | % Branches    | % Funcs       |
+=====================================================================================+
| contracts/One.sol | 100.00% (12/12) | 100.00% (20/20) | 100.00% (0/0) | 100.00% (3/3) |
| Total             | 100.00% (12/12) | 100.00% (20/20) | 100.00% (0/0) | 100.00% (3/3) |
"""
WRITTEN_TEXT = """
| File | Lines | Statements | Branches | Functions |
|---|---|---|---|---|
| `contracts/One.sol` | 12 of 12 | 20 of 20 | 0 of 0 | 3 of 3 |
| All | 12 of 12 | 20 of 20 | 0 of 0 | 3 of 3 |
"""


def found(measured: str, written: str) -> list[str]:
    return faults(figures(measured, MEASURED_ROW, MEASURED), figures(written, WRITTEN_ROW, WRITTEN))


def test_all_is_reached() -> None:
    assert found(MEASURED_TEXT, WRITTEN_TEXT) == []


def test_a_gap() -> None:
    gap = MEASURED_TEXT.replace("(12/12)", "(11/12)"), WRITTEN_TEXT.replace("12 of 12", "11 of 12")
    [fault] = found(*gap)
    assert fault.startswith("contracts/One.sol: not all of it is reached")


@pytest.mark.parametrize("written", [WRITTEN_TEXT.replace("20 of 20", "19 of 19"), ""])
def test_a_document_that_says_otherwise(written: str) -> None:
    [fault] = found(MEASURED_TEXT, written)
    assert fault == "contracts/One.sol: coverage.md says something else"


def test_a_file_that_is_gone() -> None:
    more = WRITTEN_TEXT.replace("| All", "| `contracts/Gone.sol` | 1 of 1 |\n| All")
    assert found(MEASURED_TEXT, more) == ["contracts/Gone.sol: coverage.md says something else"]


def test_nothing_measured() -> None:
    assert found("Error: no such option", WRITTEN_TEXT) == ["forge measured nothing"]
