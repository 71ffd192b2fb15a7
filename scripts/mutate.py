"""Plant small faults in the contracts, one at a time, and see whether the forge suite notices.

    python scripts/mutate.py                    every mutant; writes build/mutation.json
    python scripts/mutate.py --every 40         each fortieth, to see that the suite still bites
    python scripts/mutate.py --again            only those that no run has killed yet
    python scripts/mutate.py --file Policy.sol  only those of files with this name
    python scripts/mutate.py --list             what would be planted, and where

Works in copies, never in the tree. There the tests deploy the escrow from its build artefact, so a
mutant costs the compilation of one contract, without the optimizer (`[profile.mutate]` of
foundry.toml): the faults are in the source, and seconds matter. Exits 1 below `--least` percent.
"""

import argparse
import difflib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import Queue
from typing import Any

from forge import find_binary

ROOT = Path(__file__).resolve().parent.parent
SOLC = ROOT / "scripts" / "solc"
RESULT = ROOT / "build" / "mutation.json"
ARTIFACT = "build/mutate/Escrow.sol/Escrow.json"
DEPLOYMENT = 'Escrow(vm.deployCode("Escrow.sol:Escrow"))'
SOURCES = ("contracts/*.sol", "contracts/libraries/*.sol")
COPIED = ("contracts", "scripts", "tests/contracts", "tests/findings", "tests/vectors")
# Tests that call a library have its code in themselves.
TESTED_DIRECTLY = ("contracts/libraries/Policy.sol",)
SLOW = "settleObeys|invariant_|test_every(Way|Amount)"
TIMEOUT_SECONDS = 600

# Regular expression -> what each match is replaced by. Comments and strings are not looked at.
ROLE_BITS = ("SELLER", "BUYER", "COORDINATOR", "ARBITRATOR")
MEMBERS = (("seller", "buyer"), ("coordinator", "arbitrator"), ("feeRecipient", "seller"))
WINDOWS = (("refundWindow", "rulingWindow"), ("rulingWindow", "finalWindow"))
OPERATORS: dict[str, list[tuple[str, tuple[str, ...]]]] = {
    "comparison": [
        (r"(?<= )<(?= )", ("<=",)),
        (r"(?<= )<=(?= )", ("<",)),
        (r"(?<= )>(?= )", (">=",)),
        (r"(?<= )>=(?= )", (">",)),
        # Those in an `if` are weaker than the condition's own mutants.
        (r"(?<= )==(?= )", ("!=",)),
        (r"(?<= )!=(?= )", ("==",)),
        (r"\bgt\(", ("lt(",)),
        (r"\blt\(", ("gt(",)),
    ],
    "boolean": [
        (r"&&", ("||",)),
        (r"\|\|", ("&&",)),
        (r"!(?=[\w(])", ("",)),
        (r"\btrue\b", ("false",)),
        (r"\bfalse\b", ("true",)),
        (r"\bor\(", ("and(",)),
        (r"\band\(", ("or(",)),
        (r"\biszero\(", ("not(",)),
    ],
    "arithmetic": [
        (r"(?<= )\+(?= )", ("-",)),
        (r"(?<= )-(?= )", ("+",)),
        (r"(?<= )\*(?= )", ("/",)),
        (r"(?<= )/(?= )", ("*",)),
        (r"(?<= )\+=(?= )", ("=", "-=")),
        (r"(?<= )-=(?= )", ("=", "+=")),
        (r"(?<= )\|(?= )", ("&",)),
        (r"(?<= )&(?= )", ("|",)),
        (r"(?<= )\|=(?= )", ("=", "&=")),
        (r"(?<= )<<(?= )", (">>",)),
        (r"(?<= )>>(?= )", ("<<",)),
        (r"\badd\(", ("sub(",)),
        (r"\bsub\(", ("add(",)),
        (r"\bmul\(", ("add(",)),
    ],
    "role": [
        *((rf"\b{bit}\b(?! =)", (other,)) for bit, other in zip(
            ROLE_BITS, ROLE_BITS[1:] + ROLE_BITS[:1], strict=True)),
        *((rf"\bRole\.{bit.title()}\b", (f"Role.{other.title()}",)) for bit, other in zip(
            ROLE_BITS, ROLE_BITS[1:] + ROLE_BITS[:1], strict=True)),
        *((rf"(?<=order\.){a}\b", (b,)) for pair in MEMBERS for a, b in (pair, pair[::-1])),
        *((rf"(?<=order\.){a}\b", (b,)) for pair in WINDOWS for a, b in (pair, pair[::-1])),
        (r"\bdisputedAt\b(?! =)", ("refundRequestedAt",)),
        (r"\brefundRequestedAt\b(?! =)", ("disputedAt",)),
    ],
    "condition": [(r"(?<=\bif \()[^;{]*?(?=\) (?:return|revert|emit|\w+ =|\w+ \|=|require|\{)|\)$)",
                   ("true", "false"))],
    "guard": [(r" (?:onlyEscrow|onlyVault|nonReentrant)\b", ("",))],
}  # fmt: skip
STATEMENT = re.compile(
    r"^ +(?! |return\b|using\b|import\b|(?:\w|\[\])+ (?:\w+ )+=|\w+ private|mapping)"
    r"(?:[^{};]*\([^{};]*\)|(?:delete )?[\w.\[\]]+(?: [|+-]?= [^{};]*)?);$",
    re.MULTILINE,
)
# Not what merely asks for zero: the comparison's own mutants are stronger.
NUMBER = re.compile(r"(?<![\w.])(?<![!=]= )(?<!address\()(?:0x[0-9a-fA-F]+|\d[\d_]*)(?![\w.]|\.\d)")
COMMENT_OR_STRING = re.compile(r"//[^\n]*|/\*.*?\*/|\"[^\"\n]*\"", re.DOTALL)


Compiler = subprocess.Popen[str]


@dataclass(frozen=True)
class Mutant:
    file: str
    line: int
    operator: str
    start: int
    end: int
    replacement: str
    diff: str


def blanked(source: str) -> str:
    """The code with comments and strings blanked out, at the same offsets."""
    return COMMENT_OR_STRING.sub(lambda m: re.sub(r"[^\n]", " ", m[0]), source)


def next_numbers(literal: str) -> tuple[str, ...]:
    """A literal's neighbours, as wide as it is."""
    if literal.startswith("0x"):
        digits = len(literal) - 2
        return (f"0x{(int(literal, 16) + 1) % 16**digits:0{digits}x}",)
    value = int(literal.replace("_", ""))
    return (str(value + 1), str(value - 1)) if value else ("1",)


def changes(code: str) -> Iterator[tuple[str, int, int, str]]:
    """Every (operator, start, end, replacement) for the blanked code of one file."""
    first = re.search(r"^(?:abstract )?(?:contract|library) ", code, re.MULTILINE)
    start = first.start() if first else 0
    for operator, rules in OPERATORS.items():
        for pattern, replacements in rules:
            for match in re.finditer(pattern, code, re.MULTILINE):
                line = code[code.rfind("\n", 0, match.start()) : match.start()]
                weak = match[0] in ("==", "!=", "!") and "if (" in line
                for replacement in replacements:
                    if match.start() > start and replacement != match[0] and not weak:
                        yield operator, match.start(), match.end(), replacement
    for match in NUMBER.finditer(code, start):
        for replacement in next_numbers(match[0]):
            yield "constant", match.start(), match.end(), replacement
    for match in STATEMENT.finditer(code, start):
        yield "statement", match.start(), match.end(), ""


def mutants_of(file: str) -> list[Mutant]:
    source = (ROOT / file).read_text()
    made: dict[str, Mutant] = {}
    for operator, start, end, replacement in changes(blanked(source)):
        mutated = source[:start] + replacement + source[end:]
        diff = "\n".join(
            line for line in difflib.unified_diff(
                source.splitlines(), mutated.splitlines(), lineterm="", n=0)
            if line[:2] not in ("--", "++", "@@")
        )  # fmt: skip
        before = source[:start] + source[start:end][: -len(source[start:end].lstrip()) or None]
        line = before.count("\n") + 1
        made.setdefault(mutated, Mutant(file, line, operator, start, end, replacement, diff))
    return sorted(made.values(), key=lambda m: (m.line, m.start))


def all_mutants(name: str | None) -> list[Mutant]:
    files = sorted(str(p.relative_to(ROOT)) for pattern in SOURCES for p in ROOT.glob(pattern))
    return [m for f in files if name in (None, Path(f).name) for m in mutants_of(f)]


def make_copy(place: Path) -> None:
    """A tree that forge can test, whose tests deploy the escrow from its artefact."""
    for name in COPIED:
        shutil.copytree(ROOT / name, place / name)
    for name in ("foundry.toml", "package.json"):
        shutil.copy(ROOT / name, place)
    (place / "node_modules").symlink_to(ROOT / "node_modules")
    for test in (place / "tests").rglob("*.sol"):
        test.write_text(test.read_text().replace("new Escrow()", DEPLOYMENT))
    # Forge asks for the version on every run, and the compiler takes a second to start.
    version = subprocess.check_output([SOLC, "--version"], text=True)  # noqa: S603
    (place / "scripts" / "solc").write_text(
        f'#!/bin/sh\nif [ "$1" = --version ]; then echo \'{version}\'; exit; fi\nexec {SOLC} "$@"\n'
    )


def start_compiler() -> Compiler:
    """A compiler that stays: it takes seconds to get warm."""
    return subprocess.Popen(  # noqa: S603
        [SOLC, "--lines"], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def compiled(place: Path, compiler: Compiler) -> dict[str, Any] | None:
    """The escrow's `evm` output of a copy's sources; None if they do not compile."""
    sources = {
        str(p.relative_to(place)): {"content": p.read_text()}
        for p in (place / "contracts").rglob("*.sol")
        if "mocks" not in p.parts
    }
    profile = tomllib.loads((ROOT / "foundry.toml").read_text())["profile"]["default"]
    output = ["evm.bytecode.object", "evm.deployedBytecode.object"]
    settings = {
        "remappings": profile["remappings"],
        "evmVersion": profile["evm_version"],
        "metadata": {"bytecodeHash": "none", "appendCBOR": False},
        "outputSelection": {"contracts/Escrow.sol": {"Escrow": output}},
    }
    request = {"language": "Solidity", "sources": sources, "settings": settings}
    if compiler.stdin is None or compiler.stdout is None:
        raise SystemExit("the compiler has no pipes")
    compiler.stdin.write(json.dumps(request) + "\n")
    compiler.stdin.flush()
    contracts = json.loads(compiler.stdout.readline()).get("contracts", {})
    found: dict[str, Any] | None = contracts.get("contracts/Escrow.sol", {}).get("Escrow")
    return found and found["evm"]


def forge_test(place: Path, *more: str) -> tuple[int, str]:
    """Exit code and output; a run that takes too long counts as a failure."""
    try:
        done = subprocess.run(  # noqa: S603
            [find_binary("forge"), "test", "--fail-fast", "--threads", "1", *more],
            cwd=place, env={**os.environ, "FOUNDRY_PROFILE": "mutate"}, text=True,
            capture_output=True, timeout=TIMEOUT_SECONDS, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return 1, "[FAIL: timeout]"
    return done.returncode, done.stdout + done.stderr


def killer(place: Path) -> str | None:
    """The test that fails, the quick ones first; None if none does."""
    for tests in ("--no-match-test", "--match-test"):
        code, output = forge_test(place, tests, SLOW)
        if code != 0:
            if "[FAIL" not in output:
                raise SystemExit(f"forge failed without a failing test:\n{output}")
            failed = re.search(r"\[FAIL[^\n]*\] (\w+)\(", output)
            return failed[1] if failed else "?"
    return None


def verdict_of(place: Path, compiler: Compiler, mutant: Mutant) -> tuple[str, str]:
    """`killed` and by what, `survived`, or `invalid` where it does not compile."""
    target = place / mutant.file
    artifact = place / ARTIFACT
    source, kept = target.read_text(), artifact.read_text()
    mutated = source[: mutant.start] + mutant.replacement + source[mutant.end :]
    try:
        target.write_text(mutated)
        evm = compiled(place, compiler)
        target.write_text(source)
        if evm is None:
            return "invalid", ""
        built = json.loads(kept)
        built["bytecode"]["object"] = "0x" + evm["bytecode"]["object"]
        built["deployedBytecode"]["object"] = "0x" + evm["deployedBytecode"]["object"]
        artifact.write_text(json.dumps(built))
        by = killer(place)
        if by is None and mutant.file in TESTED_DIRECTLY:
            target.write_text(mutated)
            by = killer(place)
        return ("survived", "") if by is None else ("killed", by)
    finally:
        if target.read_text() != source:
            target.write_text(source)
            forge_test(place, "--match-test", "NONE")
        artifact.write_text(kept)


def run(
    mutants: list[Mutant], jobs: int, results: list[dict[str, Any]], keep: bool
) -> list[dict[str, Any]]:
    """`results` and each mutant's verdict, kept as they come."""
    known = len(results)
    with tempfile.TemporaryDirectory(prefix="mutate-") as temporary:
        places: Queue[tuple[Path, Compiler]] = Queue()
        first = Path(temporary) / "0"
        make_copy(first)
        code, output = forge_test(first)
        if code != 0:
            raise SystemExit(f"the suite fails without any mutant:\n{output}")
        for i in range(jobs):
            place = first if i == 0 else Path(temporary) / str(i)
            if i != 0:
                shutil.copytree(first, place, symlinks=True)
            places.put((place, start_compiler()))

        def judge(mutant: Mutant) -> dict[str, Any]:
            place, compiler = places.get()
            try:
                verdict, by = verdict_of(place, compiler, mutant)
            finally:
                places.put((place, compiler))
            return {**asdict(mutant), "verdict": verdict, "by": by}

        with ThreadPoolExecutor(jobs) as pool:
            for done in pool.map(judge, mutants):
                results.append(done)
                if keep:
                    RESULT.write_text(json.dumps(results, indent=1) + "\n")
                where = f"{len(results) - known}/{len(mutants)} {done['file']}:{done['line']}"
                print(where, done["operator"], done["verdict"], done["by"], flush=True)
        while not places.empty():
            places.get()[1].kill()
    return results


def report(results: list[dict[str, Any]], seconds: float) -> float:
    """Prints survivors and score; returns the score in percent."""
    valid = [r for r in results if r["verdict"] != "invalid"]
    survivors = [r for r in valid if r["verdict"] == "survived"]
    for survivor in survivors:
        place = f"{survivor['file']}:{survivor['line']}"
        print(f"\nsurvived {place} ({survivor['operator']})\n{survivor['diff']}")
    score = 100 * (len(valid) - len(survivors)) / max(len(valid), 1)
    print(f"\n{len(valid)} mutants, {len(valid) - len(survivors)} killed: {score:.1f} %; "
          f"{len(results) - len(valid)} more did not compile; {seconds:.0f} s")  # fmt: skip
    return score


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--every", type=int, default=1, metavar="N")
    parser.add_argument("--file", metavar="NAME")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--least", type=float, default=95, metavar="PERCENT")
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--list", action="store_true")
    return parser.parse_args()


def main() -> int:
    options = arguments()
    mutants = all_mutants(options.file)[:: options.every]
    previous: list[dict[str, Any]] = []
    if options.again:
        previous = [r for r in json.loads(RESULT.read_text()) if r["verdict"] != "survived"]
        dead = {(r["file"], r["start"], r["end"], r["replacement"], r["diff"]) for r in previous}
        mutants = [
            m for m in mutants if (m.file, m.start, m.end, m.replacement, m.diff) not in dead
        ]
    if options.list:
        for mutant in mutants:
            print(f"{mutant.file}:{mutant.line} {mutant.operator}\n{mutant.diff}")
        print(f"{len(mutants)} mutants")
        return 0
    started = time.monotonic()
    RESULT.parent.mkdir(exist_ok=True)
    whole = options.every == 1 and options.file is None
    results = run(mutants, options.jobs, previous, whole)
    return 0 if report(results, time.monotonic() - started) >= options.least else 1


if __name__ == "__main__":
    sys.exit(main())
