"""The token and the escrow without an EVM: the contracts' rules in Python, over one plain state.

Calldata, signatures, errors and events are the real ones; `tests/simulation/test_conformance.py`
holds this model to the contracts themselves.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError
from eth_utils.address import to_checksum_address
from otc_sdk import messages
from otc_sdk.policy import State as OrderState
from otc_sdk.policy import allows
from otc_sdk.roles import TRADERS, Role, bits, from_bits
from otc_sdk.terms import EscrowDomain, Terms, digest

from coordinator.domain.chain_logs import TRANSFER
from tests.simulation.abi import (
    TOPIC_OF,
    Event,
    Revert,
    State,
    error,
    id_of,
    recover,
    selectors,
    terms_of,
    topic,
    vault_of,
)

ERC1271_MAGIC = bytes.fromhex("1626ba7e")
PROXY_CODE = b"\x36"
# What the verbs cost beyond the 21,000 of every transaction, rounded from benchmarks/results.
GAS = {
    "transfer": 34_000, "settle": 80_000, "settleBatch": 12_000, "requestRefund": 30_000,
    "dispute": 40_000, "sweep": 40_000, "claim": 40_000, "publish": 5_000,
}  # fmt: skip
BATCH_ITEM_GAS = 70_000
TRANSACTION_GAS = 21_000


@dataclass
class Contracts:
    """The contracts of one chain. `signers`: contract accounts, and the key that each obeys."""

    domain: EscrowDomain
    tokens: tuple[str, ...]
    signers: dict[str, str] = field(default_factory=dict)

    def code_at(self, state: State, address: str) -> bytes:
        there = {self.domain.escrow, *self.tokens, *self.signers}
        return PROXY_CODE if address in there or address in state.code else b""

    def run(self, state: State, sender: str, to: str, data: bytes, time: int) -> "Call":
        """The effects of one call; `state` itself stays as it is. Raises Revert."""
        call = Call(self, state.copy(), sender, time)
        call.enter(to, data)
        return call


@dataclass
class Call:
    """One call that runs: its state, its events, its gas and its answer."""

    contracts: Contracts
    state: State
    sender: str
    time: int
    events: list[Event] = field(default_factory=list)
    gas: int = TRANSACTION_GAS
    answer: bytes = b""

    def enter(self, to: str, data: bytes) -> None:
        self.gas += 16 * len(data)
        if not self.contracts.code_at(self.state, to):
            return
        verb, types = selectors().get(data[:4], ("", []))
        act: Callable[..., None] | None = VERBS.get((self.kind(to), verb))
        if act is None:
            raise Revert
        try:
            arguments = decode(types, data[4:])
        except DecodingError as wrong:
            raise Revert from wrong
        self.gas += GAS.get(verb, 0)
        act(self, to, *arguments)

    def kind(self, to: str) -> str:
        if to == self.contracts.domain.escrow:
            return "escrow"
        return "token" if to in self.contracts.tokens else "signer"

    def emit(self, name: str, *topics: str | int, data: bytes = b"") -> None:
        escrow = self.contracts.domain.escrow
        self.events.append(Event(escrow, (TOPIC_OF[name], *map(topic, topics)), data))

    # The token

    def transfer(self, token: str, to: str, units: int) -> None:
        self.move(token, self.sender, to_checksum_address(to), units)

    def move(self, token: str, sender: str, to: str, units: int) -> None:
        held = self.state.balance(token, sender)
        if held < units or sender in self.state.frozen:
            raise Revert
        self.state.tokens[token, sender] = held - units
        self.state.tokens[token, to] = self.state.balance(token, to) + units
        topics = (TRANSFER, topic(sender), topic(to))
        self.events.append(Event(token, topics, encode(["uint256"], [units])))

    def balance_of(self, token: str, owner: str) -> None:
        self.answer = encode(["uint256"], [self.state.balance(token, to_checksum_address(owner))])

    def freeze(self, token: str, owner: str) -> None:
        self.state.frozen.add(to_checksum_address(owner))

    def thaw(self, token: str, owner: str) -> None:
        self.state.frozen.discard(to_checksum_address(owner))

    # The escrow

    def settle(
        self, escrow: str, order: tuple[Any, ...], to_buyer: int, valid_until: int, packed: bytes
    ) -> None:
        terms = terms_of(order)
        order_id = id_of(self.contracts.domain, terms)
        if self.time >= valid_until:
            raise error("Expired", valid_until, self.time)
        if to_buyer > terms.amount_units:
            raise error("ExceedsAmount", to_buyer, terms.amount_units)
        message = messages.settlement(self.contracts.domain, order_id, to_buyer, valid_until)
        roles = self.roles_of_sender(terms) | self.roles_that_signed(terms, digest(message), packed)
        vault = vault_of(self.contracts.domain, order_id)
        balance = self.state.balance(terms.token, vault)
        known = self.state.orders.get(order_id, OrderState())
        if not allows(from_bits(roles), to_buyer, terms, known, self.time, balance):
            state = (known.refund_requested_at, known.disputed_at)
            raise error("NotAllowed", order_id, roles, to_buyer, state, self.time)
        if balance < terms.amount_units:
            self.require_covered(terms, order_id, to_buyer, roles, balance)
        self.require_unsettled(order_id)
        self.state.code.add(vault)
        self.pay_out(terms, order_id, vault, to_buyer, balance)
        self.emit("Settled", order_id.hex(), data=encode(["uint256", "uint256"], [roles, to_buyer]))

    def roles_of_sender(self, terms: Terms) -> int:
        return bits(role for role in Role if terms.holder(role) == self.sender)

    def roles_that_signed(self, terms: Terms, message_digest: bytes, packed: bytes) -> int:
        roles, rest = 0, packed
        while rest:
            head = int.from_bytes(rest[:3].ljust(3, b"\0"), "big")
            role, end = head >> 16, 3 + (head & 0xFFFF)
            if role >= len(Role) or end > len(rest):
                raise error("MalformedSignatures", rest)
            self.require_signature(terms, Role(role), message_digest, rest[3:end])
            roles, rest = roles | 1 << role, rest[end:]
        return roles

    def require_signature(
        self, terms: Terms, role: Role, message_digest: bytes, signature: bytes
    ) -> None:
        signer = terms.holder(role)
        made_by = recover(message_digest, signature)
        if made_by not in (signer, self.contracts.signers.get(signer, signer)):
            raise error("InvalidSignature", int(role), signer, message_digest)

    def require_covered(
        self, terms: Terms, order_id: bytes, to_buyer: int, roles: int, balance: int
    ) -> None:
        vault = self.require_unsettled(order_id)
        known = self.state.orders.get(order_id, OrderState())
        by_default = known.disputed_at != 0 and allows(
            frozenset(), to_buyer, terms, known, self.time, balance
        )
        if to_buyer == 0 or by_default:
            return
        both = bits(TRADERS)
        agreed = roles & both == both
        if not agreed or balance < to_buyer:
            raise error("Short", vault, balance, to_buyer if agreed else terms.amount_units)

    def require_unsettled(self, order_id: bytes) -> str:
        vault = vault_of(self.contracts.domain, order_id)
        if vault in self.state.code:
            raise error("AlreadySettled", order_id, vault)
        return vault

    def pay_out(
        self, terms: Terms, order_id: bytes, vault: str, to_buyer: int, balance: int
    ) -> None:
        fee = terms.fee_units * to_buyer // terms.amount_units if to_buyer else 0
        payouts = (
            (terms.buyer, to_buyer - fee), (terms.fee_recipient, fee),
            (terms.seller, balance - to_buyer),
        )  # fmt: skip
        # The token stops senders, never recipients: all payouts are refused, or none is.
        if vault in self.state.frozen or balance == 0:
            if vault in self.state.frozen and balance > 0:
                raise error("NothingPaid", order_id, terms.token)
            return
        for to, units in payouts:
            if units:
                self.move(terms.token, vault, to, units)

    def settle_batch(self, escrow: str, items: tuple[tuple[Any, ...], ...]) -> None:
        done = []
        for index, (order, to_buyer, valid_until, packed) in enumerate(items):
            self.gas += BATCH_ITEM_GAS
            before, events = self.state.copy(), len(self.events)
            try:
                self.settle(escrow, order, to_buyer, valid_until, packed)
                done.append(True)
            except Revert as refusal:
                self.state = before
                del self.events[events:]
                order_id = id_of(self.contracts.domain, terms_of(order))
                reason = encode(["bytes"], [refusal.data])
                self.emit("SettlementFailed", index, order_id.hex(), data=reason)
                done.append(False)
        self.answer = encode(["bool[]"], [done])

    def request_refund(self, escrow: str, order: tuple[Any, ...], signature: bytes) -> None:
        terms = terms_of(order)
        order_id = id_of(self.contracts.domain, terms)
        known = self.state.orders.get(order_id, OrderState())
        self.require_unsettled(order_id)
        if self.time < terms.pay_by:
            raise error("TooEarly", terms.pay_by, self.time)
        if known.disputed_at:
            raise error("AlreadyDisputed", order_id, known.disputed_at)
        if known.refund_requested_at:
            raise error("AlreadyRequested", order_id, known.refund_requested_at)
        message = messages.refund_request(self.contracts.domain, order_id)
        self.require_signed_by(terms, Role.SELLER, digest(message), signature)
        self.state.orders[order_id] = replace(known, refund_requested_at=self.time)
        self.emit("RefundRequested", order_id.hex())

    def require_signed_by(
        self, terms: Terms, role: Role, message_digest: bytes, signature: bytes
    ) -> None:
        if self.sender != terms.holder(role):
            self.require_signature(terms, role, message_digest, signature)

    def dispute(self, escrow: str, order: tuple[Any, ...], by: int, signature: bytes) -> None:
        terms = terms_of(order)
        order_id = id_of(self.contracts.domain, terms)
        known = self.state.orders.get(order_id, OrderState())
        if terms.fault() is not None:
            raise error("InvalidTerms", order_id)
        if by >= len(Role):
            raise Revert
        if by not in TRADERS:
            raise error("NotATrader", by)
        if known.disputed_at:
            raise error("AlreadyDisputed", order_id, known.disputed_at)
        vault = vault_of(self.contracts.domain, order_id)
        balance = self.state.balance(terms.token, vault)
        if balance < terms.amount_units:
            self.require_unsettled(order_id)
            raise error("Short", vault, balance, terms.amount_units)
        message = messages.dispute(self.contracts.domain, order_id)
        self.require_signed_by(terms, Role(by), digest(message), signature)
        self.state.orders[order_id] = replace(known, disputed_at=self.time)
        self.emit("Disputed", order_id.hex(), data=encode(["uint8"], [by]))

    def claim(
        self, escrow: str, order: tuple[Any, ...], to: str, valid_until: int, signature: bytes
    ) -> None:
        """This token refuses no recipient, so there never is a claim."""
        raise error("NoClaim", id_of(self.contracts.domain, terms_of(order)), self.sender)

    def sweep(self, escrow: str, order: tuple[Any, ...], token: str) -> None:
        terms = terms_of(order)
        order_id = id_of(self.contracts.domain, terms)
        vault = vault_of(self.contracts.domain, order_id)
        if vault not in self.state.code:
            raise error("NotSettled", order_id, vault)
        token = to_checksum_address(token)
        units = self.state.balance(token, vault)
        if units == 0:
            raise error("NothingToSweep", order_id, token)
        seller = topic(terms.seller)
        self.emit("Swept", order_id.hex(), token, seller, data=encode(["uint256"], [units]))
        if vault in self.state.frozen:
            raise error("TransferRefused", token, terms.seller, units)
        self.move(token, vault, terms.seller, units)

    # Views

    def state_of(self, escrow: str, order_id: bytes) -> None:
        known = self.state.orders.get(order_id, OrderState())
        self.answer = encode(["uint64", "uint64"], [known.refund_requested_at, known.disputed_at])

    def view_vault(self, escrow: str, order_id: bytes) -> None:
        self.answer = encode(["address"], [vault_of(self.contracts.domain, order_id)])

    def nothing_owed(self, escrow: str, *_: Any) -> None:
        self.answer = encode(["uint256"], [0])

    def symbol(self, token: str) -> None:
        self.answer = encode(["string"], ["USDT"])

    def decimals(self, token: str) -> None:
        self.answer = encode(["uint256"], [6])

    def is_valid_signature(self, signer: str, message_digest: bytes, signature: bytes) -> None:
        if recover(message_digest, signature) != self.contracts.signers[signer]:
            raise Revert
        self.answer = ERC1271_MAGIC.ljust(32, b"\0")


VERBS: dict[tuple[str, str], Any] = {
    ("token", "transfer"): Call.transfer,
    ("token", "balanceOf"): Call.balance_of,
    ("token", "symbol"): Call.symbol,
    ("token", "decimals"): Call.decimals,
    ("token", "addBlackList"): Call.freeze,
    ("token", "removeBlackList"): Call.thaw,
    ("escrow", "settle"): Call.settle,
    ("escrow", "settleBatch"): Call.settle_batch,
    ("escrow", "requestRefund"): Call.request_refund,
    ("escrow", "dispute"): Call.dispute,
    ("escrow", "claim"): Call.claim,
    ("escrow", "sweep"): Call.sweep,
    ("escrow", "stateOf"): Call.state_of,
    ("escrow", "vaultOf"): Call.view_vault,
    ("escrow", "claimOf"): Call.nothing_owed,
    ("escrow", "claimsOf"): Call.nothing_owed,
    ("signer", "isValidSignature"): Call.is_valid_signature,
}
