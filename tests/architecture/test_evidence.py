"""What the documents name exists: tests, files, errors with their evidence, measured figures."""

import json
import re
from functools import reduce
from pathlib import Path
from typing import Any

import pytest
from otc_sdk.artifacts import load

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
OPERATIONS = DOCS / "operations"
RESULTS = ROOT / "benchmarks" / "results"
EVIDENCE = [
    ROOT / "SECURITY.md",
    DOCS / "trust-model.md",
    DOCS / "benchmarks.md",
    *sorted((DOCS / "audit").glob("*.md")),
    *sorted((DOCS / "decisions").glob("*.md")),
]
VERBS = (
    "batch", "claim", "default", "dispute", "fund", "publish", "refund", "release", "rule",
    "split", "sweep",
)  # fmt: skip
TEST_NAME = re.compile(r"`((?:testFuzz|test|invariant|check)_\w+)`")
FILE_NAME = re.compile(r"`((?:benchmarks|contracts|scripts|tests)/[\w./-]+)`")
DEFINED = re.compile(r"\b(?:def|function) ((?:testFuzz|test|invariant|check)_\w+)")
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
ERROR = re.compile(r"`([A-Z]\w+)\(([\w, ]*)\)`")
GAS_ROW = re.compile(
    r"^\| (?:Gas|default|refund|release|request|ruling|split)[^|]*\|.*$", re.MULTILINE
)
GAS_FIGURE = re.compile(r"\b\d{2,3},\d{3}\b")
# | 5,204 | `watching.json` `backfill.per_second` |
MEASURED = re.compile(r"\| ([\d,.]+) \| `(\w+\.json)` `([\w.]+)` \|$", re.MULTILINE)
# OpenZeppelin's, of a domain's name that is too long: no deployed escrow has them.
OF_CONSTRUCTION = ("InvalidShortString", "StringTooLong")
# The most gas of an item, not a measured figure.
ROUND_FIGURES = {300_000}


def defined() -> set[str]:
    """Every test function there is, in Python and Solidity."""
    sources = [p for kind in ("py", "sol") for p in (ROOT / "tests").rglob(f"*.{kind}")]
    return {name for source in sources for name in DEFINED.findall(source.read_text())}


def table_rows(text: str) -> list[str]:
    """Rows of a document's first table, without its head."""
    table = text[text.index("\n| ") + 1 :].split("\n\n", 1)[0]
    return table.splitlines()[2:]


@pytest.mark.parametrize("document", EVIDENCE, ids=lambda p: p.name)
def test_what_a_document_names_exists(document: Path) -> None:
    text = document.read_text()
    unknown = set(TEST_NAME.findall(text)) - defined()
    missing = {name for name in FILE_NAME.findall(text) if not (ROOT / name).exists()}
    dead = {to for to in LINK.findall(text) if not (document.parent / to).exists()}
    assert not unknown | missing | dead


def test_every_row_of_the_trust_model_names_its_test() -> None:
    rows = table_rows((DOCS / "trust-model.md").read_text())
    assert len(rows) > 10
    for row in rows:
        assert TEST_NAME.search(row), row


@pytest.mark.parametrize("page", sorted(OPERATIONS.glob("*.md")), ids=lambda p: p.name)
def test_links_of_operations_lead_somewhere(page: Path) -> None:
    assert not {to for to in LINK.findall(page.read_text()) if not (page.parent / to).exists()}


@pytest.mark.parametrize("verb", VERBS)
def test_a_verbs_page_says_who_when_what_is_signed_and_the_gas(verb: str) -> None:
    text = (OPERATIONS / f"{verb}.md").read_text()
    for word in ("Who", "When", "Signatures", "Gas"):
        assert re.search(rf"\| {word}\b", text), word


def test_gas_in_the_pages_was_measured() -> None:
    measured = json.loads((RESULTS / "gas.json").read_text())
    known = {value for value in measured.values() if type(value) is int} | ROUND_FIGURES
    for verb in VERBS:
        for row in GAS_ROW.findall((OPERATIONS / f"{verb}.md").read_text()):
            figures = {int(figure.replace(",", "")) for figure in GAS_FIGURE.findall(row)}
            assert figures <= known, f"{verb}.md: {figures - known}"


def figure_of(file: str, key: str) -> Any:
    """The figure under a key with dots, where a number is a place in a list."""
    result = json.loads((RESULTS / file).read_text())
    return reduce(lambda at, k: at[int(k) if k.isdigit() else k], key.split("."), result)


def test_figures_of_the_benchmarks_were_measured() -> None:
    rows = MEASURED.findall((DOCS / "benchmarks.md").read_text())
    assert len(rows) > 10
    said = {(file, key): figure for figure, file, key in rows}
    assert said == {(file, key): f"{figure_of(file, key):,}" for file, key in said}


def errors() -> dict[str, str]:
    """The contract's errors -> names of their evidence."""
    return {
        entry["name"]: ", ".join(i["name"] for i in entry["inputs"])
        for entry in load("Escrow")["abi"]
        if entry["type"] == "error" and entry["name"] not in OF_CONSTRUCTION
    }


def test_errors_are_explained_with_their_evidence() -> None:
    explained = dict(ERROR.findall((OPERATIONS / "errors.md").read_text()))
    assert explained == errors()


@pytest.mark.parametrize("verb", VERBS)
def test_a_verbs_page_writes_errors_as_the_contract_does(verb: str) -> None:
    known = errors()
    for name, evidence in ERROR.findall((OPERATIONS / f"{verb}.md").read_text()):
        assert known.get(name, evidence) == evidence, name
