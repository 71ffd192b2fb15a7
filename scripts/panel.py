"""An arbitration panel: a Safe whose owners rule together.

    python scripts/panel.py create  --network sepolia --owner A --owner B --owner C --threshold 2
    python scripts/panel.py propose --network sepolia --panel SAFE --order order.json
                                    --to-buyer 40 --way sign ruling.json
    python scripts/panel.py confirm --network sepolia ruling.json
    python scripts/panel.py submit  --network sepolia ruling.json

Two ways. `sign`: the panel signs the settlement (ERC-1271), a trader brings it, and nobody of the
panel needs gas. `execute`: a trader signed first, and the panel sends the settlement itself.
Keys come from a keystore or the environment. The proposal's file goes from owner to owner: it holds
nothing secret, and whoever confirms computes from it anew what is signed.
"""

import argparse
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eth_account.messages import SignableMessage
from otc_sdk import calls, messages
from otc_sdk.amounts import to_text, to_units
from otc_sdk.chain import require_decimals
from otc_sdk.deployment import code_at, require_escrow
from otc_sdk.order import Order
from otc_sdk.payout import payout
from otc_sdk.roles import TRADERS, Role
from otc_sdk.terms import EscrowDomain, Terms, digest, vault_address
from web3 import Web3

from scripts import proposal, safe
from scripts.proposal import Refused

KIND = "ruling"
EXECUTE, SIGN = "execute", "sign"
DAY_SECONDS = 86_400
VALID_DAYS, MAX_VALID_DAYS = 7, 90


@dataclass(frozen=True)
class Ruling:
    """What a proposal's file says; all that is signed follows from it."""

    panel: str
    way: str
    nonce: int
    domain: EscrowDomain
    terms: Terms
    symbol: str
    decimals: int
    to_buyer_units: int
    valid_until: int
    trader: dict[Role, bytes]

    @classmethod
    def load(cls, content: dict[str, Any]) -> "Ruling":
        """Raises Refused if anything is missing or malformed, TermsError for bad terms."""
        try:
            order, trader = content["order"], content["trader"]
            return cls(
                panel=proposal.address(content["panel"]),
                way={EXECUTE: EXECUTE, SIGN: SIGN}[content["way"]],
                nonce=int(content["nonce"]),
                domain=EscrowDomain(int(order["chain_id"]), proposal.address(order["escrow"])),
                terms=Terms.from_dict(order["terms"]),
                symbol=str(order["token_symbol"]),
                decimals=int(order["token_decimals"]),
                to_buyer_units=int(content["to_buyer_units"]),
                valid_until=int(content["valid_until"]),
                trader={Role[r.upper()]: bytes.fromhex(s[2:]) for r, s in trader.items()},
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise Refused(f"the ruling is malformed: {type(error).__name__} {error}") from None

    def content(self) -> dict[str, Any]:
        """JSON for the proposal's file."""
        return {
            "kind": KIND,
            "panel": self.panel,
            "way": self.way,
            "nonce": self.nonce,
            "order": {
                "chain_id": self.domain.chain_id,
                "escrow": self.domain.escrow,
                "token_symbol": self.symbol,
                "token_decimals": self.decimals,
                "terms": self.terms.to_dict(),
            },
            "to_buyer_units": str(self.to_buyer_units),
            "valid_until": self.valid_until,
            "trader": {role.label: "0x" + s.hex() for role, s in self.trader.items()},
            "signatures": {},
        }

    @property
    def order_id(self) -> bytes:
        return self.terms.order_id(self.domain)

    @property
    def settlement(self) -> bytes:
        """The digest that each signer of the settlement signs."""
        return digest(self.message)

    @property
    def message(self) -> SignableMessage:
        return messages.settlement(
            self.domain, self.order_id, self.to_buyer_units, self.valid_until
        )

    @property
    def agreed(self) -> safe.Agreed:
        """What the owners sign."""
        if self.way == SIGN:
            return safe.Message(self.panel, self.domain.chain_id, self.settlement)
        signed = messages.as_sent(self.terms, self.message, self.trader)
        data = calls.settle(self.terms, self.to_buyer_units, self.valid_until, signed)
        return safe.Transaction(
            self.panel, self.domain.chain_id, self.domain.escrow, data, self.nonce
        )

    def rows(self) -> dict[str, object]:
        """The ruling for people."""
        parts = payout(self.terms, self.to_buyer_units)
        return {
            "order": "0x" + self.order_id.hex(),
            "buyer gets": f"{self.amount(parts.buyer_units)}  {self.terms.buyer}",
            "fee": f"{self.amount(parts.fee_units)}  {self.terms.fee_recipient}",
            "seller gets": f"{self.amount(parts.seller_units)}  {self.terms.seller}",
            "token": self.terms.token,
            "valid until": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(self.valid_until)),
            "escrow": f"{self.domain.escrow} on chain {self.domain.chain_id}",
            "panel": self.panel,
            "way": self.way if self.way == SIGN else f"{self.way}, nonce {self.nonce}",
            "hash": "0x" + self.agreed.hash.hex(),
        }

    def amount(self, units: int) -> str:
        return f"{to_text(units, self.decimals)} {self.symbol}"


def create(options: argparse.Namespace) -> None:
    """Make the panel, paid by any account."""
    owners = [proposal.address(owner) for owner in options.owner]
    safe.require_owners(owners, options.threshold)
    w3, payer = proposal.node(options), proposal.account(options)
    made = safe.create(w3, payer, owners, options.threshold)
    proposal.show({"panel": made, "owners": len(owners), "threshold": options.threshold})


def propose(options: argparse.Namespace) -> None:
    """Write a ruling down, for the owners to confirm. Needs no key."""
    w3 = proposal.node(options)
    panel = safe.Safe(w3, proposal.address(options.panel))
    order = Order.load(options.order.expanduser().read_text(encoding="utf-8"))
    units = share(order, options.to_buyer)
    until, trader = signed_by_trader(options, order, units)
    if options.way == EXECUTE and not trader:
        raise Refused("to execute, a trader must have signed: give --signed FILE")
    ruling = Ruling(
        panel.address, options.way, panel.nonce, order.domain, order.terms, order.symbol,
        order.decimals, units, until, trader,
    )  # fmt: skip
    require_open(w3, panel, ruling)
    proposal.write_new(options.file, ruling.content())
    proposal.show(ruling.rows() | {"careful": panel.warning()})


def share(order: Order, text: str) -> int:
    """Units to the buyer. Raises AmountError or Refused."""
    named = {"all": order.terms.amount_units, "none": 0}
    units = named[text] if text in named else to_units(text, order.decimals)
    if units > order.terms.amount_units:
        raise Refused("--to-buyer is more than the order's amount")
    return units


def signed_by_trader(
    options: argparse.Namespace, order: Order, units: int
) -> tuple[int, dict[Role, bytes]]:
    """Validity and signature of what a trader signed; without it, our own validity and nothing."""
    if options.signed is None:
        return int(time.time()) + options.valid_days * DAY_SECONDS, {}
    signed = proposal.read_json(options.signed)
    try:
        role, until = Role[signed["role"].upper()], int(signed["valid_until"])
        same = signed["order"] == order.id and int(signed["to_buyer_units"]) == units
        signature = bytes.fromhex(signed["signature"].removeprefix("0x"))
    except (KeyError, TypeError, ValueError, AttributeError):
        raise Refused(f"{options.signed} holds no signature by `otc sign`") from None
    if not same or role not in TRADERS:
        raise Refused(f"{options.signed} is not a trader's signature of this ruling")
    return until, {role: signature}


def require_open(w3: Web3, panel: safe.Safe, ruling: Ruling) -> None:
    """Raise unless the panel can rule: chain, escrow, arbitrator, order and validity are right."""
    if ruling.domain.chain_id != panel.chain_id:
        raise Refused(f"the order is on chain {ruling.domain.chain_id}, not {panel.chain_id}")
    require_escrow(w3, ruling.domain.escrow)
    require_decimals(w3, ruling.terms.token, ruling.decimals)
    if ruling.terms.arbitrator != panel.address:
        raise Refused(f"the order's arbitrator is {ruling.terms.arbitrator}, not {panel.address}")
    if code_at(w3, vault_address(ruling.domain, ruling.order_id)):
        raise Refused("the order is settled already")
    left = ruling.valid_until - int(w3.eth.get_block("latest")["timestamp"])
    if not 0 < left <= (MAX_VALID_DAYS + 1) * DAY_SECONDS:
        raise Refused("the ruling is no longer valid, or valid for too long: propose anew")
    if ruling.way == SIGN:
        panel.require_signing()


def opened(options: argparse.Namespace) -> tuple[safe.Safe, Ruling, dict[str, Any]]:
    """The panel, and the proposal in the file, checked against the chain."""
    w3 = proposal.node(options)
    content = proposal.read(options.file, KIND)
    ruling = Ruling.load(content)
    panel = safe.Safe(w3, ruling.panel)
    require_open(w3, panel, ruling)
    if ruling.way == EXECUTE:
        safe.require_nonce(panel, ruling.nonce)
    return panel, ruling, content


def confirm(options: argparse.Namespace) -> None:
    """Add an owner's signature to the file."""
    panel, ruling, content = opened(options)
    owner = proposal.account(options)
    proposal.show(ruling.rows() | {"careful": panel.warning()})
    proposal.ask("Confirm this ruling? It cannot be taken back.", options.yes)
    signature = safe.confirm(panel, ruling.agreed, owner)
    content["signatures"][owner.address] = "0x" + signature.hex()
    proposal.write(options.file, content)
    print(f"{len(content['signatures'])} of {panel.threshold} confirmed")


def submit(options: argparse.Namespace) -> None:
    """Send what was confirmed, or write the panel's signature for a trader to bring."""
    panel, ruling, content = opened(options)
    signatures = proposal.signatures_in(content)
    if isinstance(ruling.agreed, safe.Transaction):
        sent = safe.execute(panel, ruling.agreed, signatures, proposal.account(options))
        proposal.show({"settled": "0x" + ruling.order_id.hex(), "transaction": sent.tx_hash})
        return
    if options.out is None:
        raise Refused("the panel's signature goes to a file: give --out")
    signature = safe.signature_of(panel, ruling.agreed, signatures)
    proposal.write_new(options.out, signed_rows(ruling, signature))
    print(f"a trader brings it: otc settle --offline order.json --signed {options.out}")


def signed_rows(ruling: Ruling, signature: bytes) -> dict[str, Any]:
    """As `otc sign --offline --json` prints it."""
    return {
        "order": "0x" + ruling.order_id.hex(),
        "role": Role.ARBITRATOR.label,
        "signer": ruling.panel,
        "to_buyer_units": str(ruling.to_buyer_units),
        "valid_until": ruling.valid_until,
        "signature": "0x" + signature.hex(),
    }


def options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="An arbitration panel: a Safe.")
    commands = parser.add_subparsers(required=True)

    one = proposal.add_command(commands, "create", create, "make a panel")
    one.add_argument("--owner", action="append", required=True, help="an owner; repeat it")
    one.add_argument("--threshold", type=int, required=True, help="how many must confirm")
    proposal.add_key(one)

    one = proposal.add_command(commands, "propose", propose, "write a ruling down, for the owners")
    one.add_argument("--panel", required=True, help="the panel's address")
    one.add_argument("--order", type=Path, required=True, help="by `otc order show --json`")
    one.add_argument("--to-buyer", required=True, help="in whole tokens, or `all`, or `none`")
    one.add_argument("--way", choices=(SIGN, EXECUTE), required=True, help="see above")
    one.add_argument("--signed", type=Path, help="by a trader's `otc sign --offline --json`")
    one.add_argument(
        "--valid-days", type=int, choices=range(1, MAX_VALID_DAYS + 1), default=VALID_DAYS,
        metavar="DAYS", help=f"1 to {MAX_VALID_DAYS}; default {VALID_DAYS}",
    )  # fmt: skip
    one.add_argument("file", type=Path, help="where the proposal goes")

    one = proposal.add_command(commands, "confirm", confirm, "sign it, as an owner of the panel")
    proposal.add_key(one)
    proposal.add_yes(one)
    one.add_argument("file", type=Path, help="the proposal")

    one = proposal.add_command(commands, "submit", submit, "send or hand over what was confirmed")
    proposal.add_key(one)
    one.add_argument("--out", type=Path, help="file for the panel's signature; way `sign` only")
    one.add_argument("file", type=Path, help="the proposal")
    return parser


if __name__ == "__main__":
    proposal.run(options())
