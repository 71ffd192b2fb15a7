"""Gas of every verb of the escrow, measured by real transactions on a local chain.

    python benchmarks/gas.py           measures and writes results/gas.json beside this file
    python benchmarks/gas.py --check   measures and exits 1 if a figure rose above that file's

Keys, salts and times are fixed, so the same code gives the same file.
"""

import json
import sys
import tomllib
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import solcx
from eth_account.signers.local import LocalAccount
from otc_sdk import calls, messages
from otc_sdk.artifacts import load
from otc_sdk.roles import Role
from otc_sdk.terms import EscrowDomain, Terms, vault_address
from web3 import Web3

from scripts.compile import ROOT, SOLC, compiler_settings
from tests.chain import TOKEN_SUPPLY_UNITS, Anvil, account_of

RESULTS = Path(__file__).parent / "results" / "gas.json"
HARDFORK = "osaka"
START = 1_800_000_000
VALID_UNTIL = START + 86_400
AMOUNT = 1_000_000_000
BATCH = 10

# What other ways cost: (figure, other's gas, who). The design's page has the same list.
REFERENCES = (
    ("fund", 55_691, "bare transfer of USDT on Ethereum"),
    ("release", 103_900, "target; prototype"),
    ("release", 88_500, "Safe 2-of-3, after 329k to create it"),
    ("fund_plus_release", 160_000, "target"),
    ("fund_plus_release", 150_900, "1inch"),
    ("fund_plus_release", 154_100, "LocalCoinSwap"),
    ("fund_plus_release", 188_500, "commerce-payments"),
    ("fund_plus_release", 226_700, "OpenPeer"),
    ("fund_plus_release", 227_100, "Kleros v2"),
    ("fund_plus_release", 417_600, "Safe 2-of-3, created anew"),
    ("fund_plus_release_in_batch_of_10", 132_000, "target"),
    ("dispute_and_ruling", 165_000, "target"),
    ("dispute_and_ruling", 206_800, "OpenPeer"),
    ("dispute_and_ruling", 501_000, "Kleros v2"),
)

Signers = Iterable[Role]


class Bench:
    """A fresh chain with escrow and token; every method sends one transaction of its own block."""

    def __init__(self, anvil: Anvil) -> None:
        self.anvil = anvil
        self.time = START
        self.salt = 0
        self.parties = {role: anvil.funded_account(role.label) for role in Role}
        self.relayer = anvil.funded_account("relayer")
        owner = anvil.funded_account("owner")
        self.owner = owner
        artifact = load("Escrow")
        # Plain creation: the address, and so each zero byte in calldata, outlives changed code.
        receipt = self.send(owner, None, bytes.fromhex(artifact["bytecode"][2:]))
        self.deploy_gas = int(receipt["gasUsed"])
        chain_id = anvil.w3.eth.chain_id
        self.domain = EscrowDomain(chain_id, str(receipt["contractAddress"]))
        self.token = self.create(load("TetherMock"), TOKEN_SUPPLY_UNITS, 6)
        self.give(self.token, self.parties[Role.SELLER].address, 100 * AMOUNT)
        for name in ("buyer", "treasury", *(f"buyer {i}" for i in range(BATCH))):
            self.give(self.token, account_of(name).address, 1)

    def send(self, by: LocalAccount, to: str | None, data: bytes) -> Any:
        self.time += 1
        return self.anvil.send(by, to, data, at=self.time)

    def create(self, artifact: dict[str, Any], *arguments: Any) -> str:
        factory = self.anvil.w3.eth.contract(abi=artifact["abi"], bytecode=artifact["bytecode"])
        data = factory.constructor(*arguments).data_in_transaction
        return str(self.send(self.owner, None, Web3.to_bytes(hexstr=data))["contractAddress"])

    def give(self, token: str, to: str, amount_units: int) -> None:
        self.send(self.owner, token, calls.transfer(to, amount_units))

    def order(self, buyer: str = "buyer") -> Terms:
        self.salt += 1
        return Terms(
            token=self.token,
            amount_units=AMOUNT,
            fee_units=AMOUNT // 100,
            fee_recipient=account_of("treasury").address,
            seller=self.parties[Role.SELLER].address,
            buyer=account_of(buyer).address,
            coordinator=self.parties[Role.COORDINATOR].address,
            arbitrator=self.parties[Role.ARBITRATOR].address,
            pay_by=self.time + 100,
            refund_window_seconds=200,
            ruling_window_seconds=300,
            final_window_seconds=400,
            default_buyer_bps=5_000,
            salt=self.salt,
        )

    def vault(self, order: Terms) -> str:
        return vault_address(self.domain, order.order_id(self.domain))

    def funded(self, buyer: str = "buyer") -> Terms:
        order = self.order(buyer)
        self.fund(order)
        return order

    def fund(self, order: Terms) -> int:
        return self.transfer(self.vault(order))

    def transfer(self, to: str) -> int:
        data = calls.transfer(to, AMOUNT)
        return int(self.send(self.parties[Role.SELLER], self.token, data)["gasUsed"])

    def signed(self, order: Terms, to_buyer: int, signers: Signers) -> dict[Role, bytes]:
        order_id = order.order_id(self.domain)
        message = messages.settlement(self.domain, order_id, to_buyer, VALID_UNTIL)
        return {role: messages.sign(self.parties[role], message) for role in signers}

    def settle(self, by: LocalAccount, order: Terms, to_buyer: int, signers: Signers) -> int:
        signatures = self.signed(order, to_buyer, signers)
        return self.call(by, calls.settle(order, to_buyer, VALID_UNTIL, signatures))

    def call(self, by: LocalAccount, data: bytes) -> int:
        return int(self.send(by, self.domain.escrow, data)["gasUsed"])


def measure(bench: Bench) -> dict[str, int]:
    """Every figure by name."""
    figures = {
        "deploy": bench.deploy_gas,
        "bare_transfer": bench.transfer(account_of("fresh").address),
        **settlements(bench),
        **refund_by_time(bench),
        **disputes(bench),
        **default_split(bench),
        "release_per_order_in_batch_of_10": release_in_batch(bench),
        "claim": claim(bench),
        "sweep": sweep(bench),
    }
    batched = figures["fund"] + figures["release_per_order_in_batch_of_10"]
    return figures | {
        "fund_plus_release": figures["fund"] + figures["release"],
        "fund_plus_release_in_batch_of_10": batched,
        "dispute_and_ruling": figures["dispute"] + figures["ruling"],
    }


def settlements(bench: Bench) -> dict[str, int]:
    """Settled by agreement; every recipient holds the token already."""
    coordinator = bench.parties[Role.COORDINATOR]
    order = bench.order()
    return {
        "fund": bench.fund(order),
        "release": bench.settle(coordinator, order, AMOUNT, [Role.SELLER]),
        "release_relayed": bench.settle(
            bench.relayer, bench.funded(), AMOUNT, [Role.SELLER, Role.COORDINATOR]
        ),
        "refund": bench.settle(coordinator, bench.funded(), 0, [Role.BUYER]),
    }


def refund_by_time(bench: Bench) -> dict[str, int]:
    seller, order = bench.parties[Role.SELLER], bench.funded()
    bench.time = order.pay_by
    requested = bench.call(seller, calls.request_refund(order))
    bench.time += order.refund_window_seconds
    return {"request_refund": requested, "refund_alone": bench.settle(seller, order, 0, [])}


def disputes(bench: Bench) -> dict[str, int]:
    """The buyer opens; the arbitrator sends what the buyer signed: all of it, or a split."""
    opened, ruled = ruling(bench, AMOUNT)
    _, ruled_split = ruling(bench, AMOUNT * 6 // 10)
    return {"dispute": opened, "ruling": ruled, "ruling_split": ruled_split}


def ruling(bench: Bench, to_buyer: int) -> tuple[int, int]:
    """Gas of the opening and of the ruling."""
    order = bench.funded()
    opened = bench.call(bench.parties[Role.BUYER], calls.dispute(order, Role.BUYER))
    ruled = bench.settle(bench.parties[Role.ARBITRATOR], order, to_buyer, [Role.BUYER])
    return opened, ruled


def default_split(bench: Bench) -> dict[str, int]:
    order = bench.funded()
    bench.call(bench.parties[Role.BUYER], calls.dispute(order, Role.BUYER))
    bench.time += order.ruling_window_seconds + order.final_window_seconds
    return {"default_split": bench.settle(bench.relayer, order, order.default_to_buyer_units(), [])}


def release_in_batch(bench: Bench) -> int:
    """One seller's orders with as many buyers; a share of the transaction, rounded up."""
    orders = [bench.funded(f"buyer {i}") for i in range(BATCH)]
    data = calls.settle_batch(
        [
            (order, AMOUNT, VALID_UNTIL, bench.signed(order, AMOUNT, [Role.SELLER]))
            for order in orders
        ]
    )
    used = bench.call(bench.parties[Role.COORDINATOR], data)
    vaults = [Web3.to_checksum_address(bench.vault(order)) for order in orders]
    if not all(bench.anvil.w3.eth.get_code(vault) for vault in vaults):
        raise RuntimeError("an item of the batch failed")
    return -(-used // BATCH)


def claim(bench: Bench) -> int:
    """The buyer withdraws what a token refused them in a release."""
    token = bench.create(refusing_token())
    order = replace(bench.order(), token=token)
    set_manner = "setManner(address,uint8)"
    bench.send(bench.owner, token, calls.call("mint(address,uint256)", bench.vault(order), AMOUNT))
    bench.send(bench.owner, token, calls.call(set_manner, order.buyer, 1))
    bench.settle(bench.parties[Role.COORDINATOR], order, AMOUNT, [Role.SELLER])
    bench.send(bench.owner, token, calls.call(set_manner, order.buyer, 0))
    return bench.call(bench.parties[Role.BUYER], calls.claim(order, order.buyer))


def sweep(bench: Bench) -> int:
    """Late tokens to the seller."""
    order = bench.funded()
    bench.settle(bench.parties[Role.COORDINATOR], order, AMOUNT, [Role.SELLER])
    bench.fund(order)
    return bench.call(bench.relayer, calls.sweep(order, bench.token))


def refusing_token() -> dict[str, Any]:
    """ABI and bytecode of the mock that the SDK does not ship."""
    path = "contracts/mocks/RefusingToken.sol"
    request = {
        "language": "Solidity",
        "sources": {path: {"content": (ROOT / path).read_text()}},
        "settings": compiler_settings(),
    }
    output = solcx.compile_standard(request, solc_binary=SOLC)
    contract = output["contracts"][path]["RefusingToken"]
    return {"abi": contract["abi"], "bytecode": "0x" + contract["evm"]["bytecode"]["object"]}


def run() -> dict[str, Any]:
    """The whole result file."""
    anvil = Anvil("--hardfork", HARDFORK, "--timestamp", str(START)).start()
    try:
        figures = measure(Bench(anvil))
    finally:
        anvil.stop()
    profile = tomllib.loads((ROOT / "foundry.toml").read_text())["profile"]["default"]
    return {
        "command": "python benchmarks/gas.py",
        "compiler": load("Escrow")["compiler"],
        "evm_version": profile["evm_version"],
        "optimizer_runs": profile["optimizer_runs"],
        "via_ir": profile["via_ir"],
        "hardfork": HARDFORK,
        **dict(sorted(figures.items())),
    }


def figures_of(result: dict[str, Any]) -> dict[str, int]:
    settings = ("optimizer_runs", "via_ir")
    return {k: v for k, v in result.items() if isinstance(v, int) and k not in settings}


def show(result: dict[str, Any]) -> None:
    """The table: our figures, each beside what is known of others."""
    for name, gas in figures_of(result).items():
        print(f"{name:36}{gas:>10,}")
        for figure, other, who in REFERENCES:
            if figure == name:
                print(f"{'':36}{other:>10,}  {gas / other:5.2f} of {who}")


def rises(result: dict[str, Any], committed: dict[str, Any]) -> list[str]:
    """What costs more than was committed, or is missing on either side."""
    now, before = figures_of(result), figures_of(committed)
    missing = sorted(now.keys() ^ before.keys())
    risen = [k for k in sorted(now.keys() & before.keys()) if now[k] > before[k]]
    return [f"{k} is on one side only" for k in missing] + [
        f"{k} rose from {before[k]:,} to {now[k]:,}" for k in risen
    ]


def main() -> int:
    result = run()
    show(result)
    if "--check" not in sys.argv[1:]:
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(result, indent=2) + "\n")
        return 0
    faults = rises(result, json.loads(RESULTS.read_text()))
    for fault in faults:
        print(f"gas: {fault}", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
