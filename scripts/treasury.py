"""A treasury: a Safe that collects the fees, and sends them to cold storage.

    python scripts/panel.py    create  --network sepolia --owner A --owner B --owner C --threshold 2
    python scripts/treasury.py propose --network sepolia --treasury SAFE --token TOKEN
                                       --to COLD --amount all transfer.json
    python scripts/treasury.py confirm --network sepolia transfer.json
    python scripts/treasury.py submit  --network sepolia transfer.json

Keys come from a keystore or the environment. Whoever submits pays the gas.
"""

import argparse
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from otc_sdk import calls
from otc_sdk.amounts import to_text, to_units
from otc_sdk.deployment import code_at, node_errors
from otc_sdk.terms import ZERO_ADDRESS
from web3 import Web3

from scripts import proposal, safe
from scripts.proposal import Refused

KIND = "transfer"
ERC20 = [
    {
        "type": "function",
        "name": name,
        "stateMutability": "view",
        "inputs": [{"name": "", "type": kind} for kind in takes],
        "outputs": [{"name": "", "type": "uint256"}],
    }
    for name, takes in (("balanceOf", ["address"]), ("decimals", []))
]


@dataclass(frozen=True)
class Transfer:
    """What a proposal's file says; all that is signed follows from it."""

    treasury: str
    chain_id: int
    nonce: int
    token: str
    to: str
    amount_units: int

    @classmethod
    def load(cls, content: dict[str, Any]) -> "Transfer":
        """Raises Refused if anything is missing or malformed."""
        try:
            return cls(
                treasury=proposal.address(content["treasury"]),
                chain_id=int(content["chain_id"]),
                nonce=int(content["nonce"]),
                token=proposal.address(content["token"]),
                to=proposal.address(content["to"]),
                amount_units=int(content["amount_units"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise Refused(f"the transfer is malformed: {type(error).__name__} {error}") from None

    @property
    def agreed(self) -> safe.Transaction:
        """What the owners sign."""
        data = calls.transfer(self.to, self.amount_units)
        return safe.Transaction(self.treasury, self.chain_id, self.token, data, self.nonce)


class Token:
    """An ERC-20 token. Raises Refused if there is no code at the address."""

    @node_errors()
    def __init__(self, w3: Web3, address: str) -> None:
        if not code_at(w3, address):
            raise Refused(f"no token at {address} on chain {w3.eth.chain_id}")
        self.functions = w3.eth.contract(Web3.to_checksum_address(address), abi=ERC20).functions
        self.decimals = int(self.functions.decimals().call())

    @node_errors()
    def balance(self, owner: str) -> int:
        return int(self.functions.balanceOf(owner).call())


def propose(options: argparse.Namespace) -> None:
    """Write a transfer down, for the owners to confirm. Needs no key."""
    w3 = proposal.node(options)
    treasury = safe.Safe(w3, proposal.address(options.treasury))
    token = Token(w3, proposal.address(options.token))
    held = token.balance(treasury.address)
    units = held if options.amount == "all" else to_units(options.amount, token.decimals)
    transfer = Transfer(
        treasury.address, treasury.chain_id, treasury.nonce, options.token,
        proposal.address(options.to), units,
    )  # fmt: skip
    require_possible(treasury, token, transfer)
    proposal.write_new(
        options.file,
        {"kind": KIND, **asdict(transfer), "amount_units": str(units), "signatures": {}},
    )
    proposal.show(rows(transfer, token) | {"careful": treasury.warning()})


def require_possible(treasury: safe.Safe, token: Token, transfer: Transfer) -> None:
    """Raise unless the treasury can send this now, and to where tokens are not lost."""
    if transfer.chain_id != treasury.chain_id:
        raise Refused(f"the transfer is on chain {transfer.chain_id}, not {treasury.chain_id}")
    safe.require_nonce(treasury, transfer.nonce)
    if transfer.to in (ZERO_ADDRESS, transfer.token, treasury.address):
        raise Refused(f"tokens sent to {transfer.to} would be lost, or not moved")
    held = token.balance(treasury.address)
    if not 0 < transfer.amount_units <= held:
        has = to_text(held, token.decimals)
        wanted = to_text(transfer.amount_units, token.decimals)
        raise Refused(f"{treasury.address} holds {has} of the token; {wanted} cannot be sent")


def rows(transfer: Transfer, token: Token) -> dict[str, object]:
    """The transfer for people."""
    return {
        "amount": to_text(transfer.amount_units, token.decimals),
        "token": transfer.token,
        "to": transfer.to,
        "treasury": f"{transfer.treasury} on chain {transfer.chain_id}",
        "nonce": transfer.nonce,
        "hash": "0x" + transfer.agreed.hash.hex(),
    }


def opened(
    options: argparse.Namespace,
) -> tuple[safe.Safe, Token, Transfer, dict[str, Any]]:
    """The treasury, the token, and the proposal in the file, checked against the chain."""
    w3 = proposal.node(options)
    content = proposal.read(options.file, KIND)
    transfer = Transfer.load(content)
    treasury, token = safe.Safe(w3, transfer.treasury), Token(w3, transfer.token)
    require_possible(treasury, token, transfer)
    return treasury, token, transfer, content


def confirm(options: argparse.Namespace) -> None:
    """Add an owner's signature to the file."""
    treasury, token, transfer, content = opened(options)
    owner = proposal.account(options)
    proposal.show(rows(transfer, token) | {"careful": treasury.warning()})
    proposal.ask("Confirm this transfer? It cannot be taken back.", options.yes)
    signature = safe.confirm(treasury, transfer.agreed, owner)
    content["signatures"][owner.address] = "0x" + signature.hex()
    proposal.write(options.file, content)
    print(f"{len(content['signatures'])} of {treasury.threshold} confirmed")


def submit(options: argparse.Namespace) -> None:
    """Send what was confirmed, from any account."""
    treasury, token, transfer, content = opened(options)
    signatures = proposal.signatures_in(content)
    before = token.balance(transfer.to)
    sent = safe.execute(treasury, transfer.agreed, signatures, proposal.account(options))
    arrived = to_text(token.balance(transfer.to) - before, token.decimals)
    proposal.show({"arrived": arrived, "at": transfer.to, "transaction": sent.tx_hash})


def options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="A treasury: a Safe that collects the fees.")
    commands = parser.add_subparsers(required=True)

    one = proposal.add_command(commands, "propose", propose, "write a transfer down")
    one.add_argument("--treasury", required=True, help="the treasury's address")
    one.add_argument("--token", required=True, help="the token's address")
    one.add_argument("--to", required=True, help="the address of the cold storage")
    one.add_argument("--amount", required=True, help="in whole tokens, or `all`")
    one.add_argument("file", type=Path, help="where the proposal goes")

    one = proposal.add_command(commands, "confirm", confirm, "sign it, as an owner")
    proposal.add_key(one)
    proposal.add_yes(one)
    one.add_argument("file", type=Path, help="the proposal")

    one = proposal.add_command(commands, "submit", submit, "send what was confirmed")
    proposal.add_key(one)
    one.add_argument("file", type=Path, help="the proposal")
    return parser


if __name__ == "__main__":
    proposal.run(options())
