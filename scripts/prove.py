"""Run the proofs of tests/contracts/halmos.

    .venv-audit/bin/python scripts/prove.py            every proof, on code compiled as deployed
    .venv-audit/bin/python scripts/prove.py --quick    those that take seconds
    .venv-audit/bin/python scripts/prove.py --planted  plants a bug under each; each must then fail

The last works in a copy and shows that no proof holds of everything.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from forge import find_binary

ROOT = Path(__file__).resolve().parent.parent
PROOFS = "tests/contracts/halmos"
COPIED = ("contracts", "scripts", PROOFS)
FILES = (
    "foundry.toml", "package.json", "tests/contracts/Base.sol", "tests/contracts/Table.sol",
)  # fmt: skip
QUICK = "check_(?!aRefund|aRelease|aRuling|bothTraders|feeKeeps|theSellerAlone)"
VERDICT = re.compile(r"\[(PASS|FAIL|TIMEOUT|ERROR)\]\S* (check_\w+)")

ESCROW = "contracts/Escrow.sol"
POLICY = "contracts/libraries/Policy.sol"
TERMS = "contracts/libraries/Terms.sol"
# Proof -> the file, what stands there, and the bug instead.
PLANTED = {
    "check_policyIsTheTable": (POLICY, "time < order.payBy", "time <= order.payBy"),
    "check_thePlatformAloneIsAllowedNothing": (
        POLICY, "if (roles & (SELLER | BUYER) != 0) {", "if (roles != 0) {"),
    "check_oneKeyNeedsTime": (
        POLICY, "refundRequestedAt != 0 && time >=", "refundRequestedAt != 0 || time >="),
    "check_anotherSignatureForbidsNothing": (
        POLICY, "return roles & wanted == wanted;", "return roles == wanted;"),
    "check_bothTradersArePaidExactly": (
        ESCROW, "toSeller = balance - toBuyer;", "toSeller = order.amount - toBuyer;"),
    "check_aReleaseIsPaidExactly": (
        ESCROW, "net, order.feeRecipient, fee,", "net, order.coordinator, fee,"),
    "check_aRefundIsPaidExactly": (
        ESCROW, "fee, order.seller, toSeller", "fee, order.buyer, toSeller"),
    "check_theSellerAloneIsPaidExactly": (
        ESCROW, "toSeller = balance - toBuyer;",
        "toSeller = toBuyer == 0 ? order.amount : balance - toBuyer;"),
    "check_aRulingForTheSellerIsPaidExactly": (
        ESCROW, "order.token, order.buyer, net,", "order.token, order.seller, net,"),
    "check_aRulingIsPaidExactly": (ESCROW, "net = toBuyer - fee;", "net = toBuyer - 2 * fee;"),
    "check_nobodyIsPaidExactly": (
        ESCROW, "* toBuyer / order.amount;", "* toBuyer / order.amount + 1;"),
    "check_aSettledOrderStaysSettled": (
        ESCROW, "if (Vaults.create(orderId, VAULT_CODE_HEAD, VAULT_CODE_TAIL) == address(0)) {",
        "Vaults.create(orderId, VAULT_CODE_HEAD, VAULT_CODE_TAIL);\n        if (false) {"),
    "check_thePlatformMovesNothing": (
        POLICY, "toBuyer == 0 && all(roles, BUYER | COORDINATOR)",
        "toBuyer == 0 && all(roles, COORDINATOR)"),
    "check_thePlatformStartsNoClock": (
        ESCROW, "if (msg.sender == order.holder(role)) return;",
        "if (msg.sender != order.holder(role)) return;"),
    "check_usableTermsKeepTheCap": (
        TERMS, "order.fee > order.amount / FEE_CAP_DIVISOR", "order.fee > order.amount"),
    "check_usableTermsHaveFourParties": (TERMS, "eq(b, a)", "eq(b, s)"),
    "check_feeKeepsTheCapAndIsRoundedByLessThanAUnit": (
        ESCROW, "fee = uint256(order.fee) * toBuyer / order.amount;",
        "fee = (uint256(order.fee) * toBuyer + order.amount - 1) / order.amount;"),
}  # fmt: skip


def halmos(place: Path, function: str, fast: bool = False) -> dict[str, str]:
    """Verdict of each proof of this name. `fast`: no optimizer, and only to a first failure."""
    tools = [Path(find_binary("forge")).parent, Path(sys.executable).parent]
    path = os.pathsep.join([*map(str, tools), os.environ["PATH"]])
    unoptimized = {"FOUNDRY_VIA_IR": "false", "FOUNDRY_OPTIMIZER": "false"} if fast else {}
    done = subprocess.run(  # noqa: S603
        [Path(sys.executable).with_name("halmos"), "--forge-build-out", "build/halmos",
         "--no-status", "--function", function, *(["--early-exit"] if fast else [])],
        cwd=place, env={**os.environ, **unoptimized, "FOUNDRY_PROFILE": "halmos", "PATH": path},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    verdicts = {name: verdict for verdict, name in VERDICT.findall(done.stdout)}
    if not verdicts:
        raise SystemExit(f"halmos said nothing of {function}:\n{done.stdout}")
    for line in done.stdout.splitlines():
        if VERDICT.search(line):
            print(
                re.sub(r"\x1b\[\d*m|\(\(.*\)\)|\((?=uint|bool|address)\S*\)", "", line), flush=True
            )
    return verdicts


def proofs_in_sources() -> set[str]:
    text = "".join(p.read_text() for p in (ROOT / PROOFS).glob("*.sol"))
    return set(re.findall(r"function (check_\w+)", text))


def planted() -> bool:
    """Whether every proof fails once its bug is planted."""
    missed = proofs_in_sources() ^ set(PLANTED)
    with tempfile.TemporaryDirectory(prefix="prove-") as temporary:
        place = Path(temporary)
        for name in COPIED:
            shutil.copytree(ROOT / name, place / name)
        for name in FILES:
            shutil.copy(ROOT / name, place / name)
        (place / "node_modules").symlink_to(ROOT / "node_modules")
        solc = place / "scripts" / "solc"
        solc.unlink()
        solc.symlink_to(ROOT / "scripts" / "solc")
        for proof, (file, good, bad) in PLANTED.items():
            source = (ROOT / file).read_text()
            if source.count(good) != 1:
                raise SystemExit(f"{file} does not have once: {good}")
            (place / file).write_text(source.replace(good, bad))
            if halmos(place, proof, fast=True).get(proof) != "FAIL":
                missed.add(proof)
            (place / file).write_text(source)
    print(f"{len(PLANTED)} bugs planted; unnoticed, or without a bug: {sorted(missed) or 'none'}")
    return not missed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--planted", action="store_true")
    options = parser.parse_args()
    if options.planted:
        return 0 if planted() else 1
    verdicts = halmos(ROOT, QUICK if options.quick else "check_")
    expected = {p for p in proofs_in_sources() if not options.quick or re.match(QUICK, p)}
    print(f"{list(verdicts.values()).count('PASS')} of {len(expected)} proofs hold")
    return 0 if verdicts == dict.fromkeys(expected, "PASS") else 1


if __name__ == "__main__":
    sys.exit(main())
