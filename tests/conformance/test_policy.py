"""The policy's vectors against the SDK and, by real calls, against the deployed contract."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount
from otc_sdk import calls, messages
from otc_sdk.artifacts import load
from otc_sdk.chain import EscrowAccount, explain
from otc_sdk.policy import State, allows
from otc_sdk.roles import Role, from_bits
from otc_sdk.terms import EscrowDomain, Terms, digest, vault_address
from web3 import Web3
from web3.exceptions import ContractLogicError

from tests.chain import Anvil, account_of
from tests.vectors.policy_model import POLICY_JSON, STATES, vectors

NOBODY = account_of("nobody")
FOREVER = messages.UINT256_MAX


@dataclass(frozen=True)
class Vector:
    """One row of policy.json; times count from the base, None for never."""

    requested_at: int | None
    disputed_at: int | None
    time: int
    roles: frozenset[Role]
    to_buyer: int
    allowed: bool

    def at(self, base: int) -> State:
        return State(
            0 if self.requested_at is None else base + self.requested_at,
            0 if self.disputed_at is None else base + self.disputed_at,
        )


def read_vectors(path: Path = POLICY_JSON) -> tuple[dict[str, int], list[Vector]]:
    """Terms and rows of the file."""
    data = json.loads(path.read_text())
    never = data["never"]
    columns = ("requested_at", "disputed_at", "time", "roles", "to_buyer", "allowed")
    rows = [
        Vector(
            None if requested == never else requested,
            None if disputed == never else disputed,
            time,
            from_bits(roles),
            to_buyer,
            allowed,
        )
        for requested, disputed, time, roles, to_buyer, allowed in zip(
            *(data[column] for column in columns), strict=True
        )
    ]
    return data["terms"], rows


TERMS, VECTORS = read_vectors()


@dataclass(frozen=True)
class World:
    """A chain with an escrow, a token and the four parties."""

    anvil: Anvil
    domain: EscrowDomain
    token: str
    owner: LocalAccount
    parties: dict[Role, LocalAccount]

    def terms(self, base: int, salt: int) -> Terms:
        return terms(base, salt, self.token, self.parties)

    def contract(self) -> Any:
        address = Web3.to_checksum_address(self.domain.escrow)
        return self.anvil.w3.eth.contract(address, abi=load("Escrow")["abi"])

    def fund(self, order: Terms) -> None:
        vault = vault_address(self.domain, order.order_id(self.domain))
        self.anvil.send(self.owner, self.token, calls.transfer(vault, order.amount_units))

    def send_at(self, timestamp: int, by: Role, data: bytes) -> None:
        self.anvil.send(self.parties[by], self.domain.escrow, data, at=timestamp)

    def refusal(self, data: bytes) -> str | None:
        """The contract's words if nobody in particular may send this; None if it goes through."""
        try:
            escrow = Web3.to_checksum_address(self.domain.escrow)
            self.anvil.w3.eth.call({"from": NOBODY.address, "to": escrow, "data": data})
        except ContractLogicError as error:
            return explain(error)
        return None


def terms(base: int, salt: int, token: str, parties: dict[Role, LocalAccount]) -> Terms:
    return Terms(
        token=token,
        amount_units=TERMS["amount"],
        fee_units=TERMS["amount"] // 100,
        fee_recipient=account_of("treasury").address,
        seller=parties[Role.SELLER].address,
        buyer=parties[Role.BUYER].address,
        coordinator=parties[Role.COORDINATOR].address,
        arbitrator=parties[Role.ARBITRATOR].address,
        pay_by=base + TERMS["pay_by"],
        refund_window_seconds=TERMS["refund_window"],
        ruling_window_seconds=TERMS["ruling_window"],
        final_window_seconds=TERMS["final_window"],
        default_buyer_bps=TERMS["default_buyer_bps"],
        salt=salt,
    )


@pytest.fixture(scope="module")
def world(anvil: Anvil) -> World:
    owner = anvil.funded_account()
    parties = {role: anvil.funded_account(f"policy {role.label}") for role in Role}
    return World(anvil, anvil.deploy_escrow(), anvil.deploy_token(owner), owner, parties)


def test_the_file_is_what_the_model_says() -> None:
    assert json.loads(POLICY_JSON.read_text()) == vectors()


def test_the_sdk_answers_every_vector() -> None:
    base = 1_800_000_000
    parties = {role: account_of(role.label) for role in Role}
    order = terms(base, 1, account_of("token").address, parties)
    wrong = [
        v
        for v in VECTORS
        if allows(v.roles, v.to_buyer, order, v.at(base), base + v.time) is not v.allowed
    ]
    assert len(VECTORS) > 3_000
    assert not wrong


@pytest.mark.parametrize("state", STATES)
def test_the_contract_obeys_every_vector_it_can_be_brought_to(world: World, state: str) -> None:
    requested_at, disputed_at = STATES[state]
    base = world.anvil.now() + 100
    order = world.terms(base, salt=list(STATES).index(state))
    world.fund(order)
    if requested_at is not None:
        world.send_at(base + requested_at, Role.SELLER, calls.request_refund(order))
    if disputed_at is not None:
        world.send_at(base + disputed_at, Role.BUYER, calls.dispute(order, Role.BUYER))

    reached = max(requested_at or 0, disputed_at or 0)
    of_state = [
        v
        for v in VECTORS
        if (v.requested_at, v.disputed_at) == (requested_at, disputed_at) and v.time >= reached
    ]
    assert len(of_state) >= 300
    signed = sign_all(world, order, {v.to_buyer for v in of_state})
    wrong, now = [], -1
    for vector in of_state:
        if vector.time != now:
            now = vector.time
            world.anvil.mine_at(base + now)
        signatures = {role: signed[vector.to_buyer][role] for role in vector.roles}
        refusal = world.refusal(calls.settle(order, vector.to_buyer, FOREVER, signatures))
        as_told = refusal is None if vector.allowed else (refusal or "").startswith("NotAllowed(")
        if not as_told:
            wrong.append((vector, refusal))
    assert not wrong


def sign_all(world: World, order: Terms, splits: set[int]) -> dict[int, dict[Role, bytes]]:
    """Every role's signature for every split."""
    order_id = order.order_id(world.domain)
    return {
        units: {
            role: messages.sign(
                account, messages.settlement(world.domain, order_id, units, FOREVER)
            )
            for role, account in world.parties.items()
        }
        for units in splits
    }


def test_ids_and_vaults_are_the_contracts(world: World) -> None:
    contract = world.contract()
    plain = world.terms(world.anvil.now(), salt=100)
    widest = replace(
        plain,
        amount_units=2**128 - 1,
        fee_units=2**128 - 1,
        pay_by=2**64 - 1,
        salt=2**64 - 1,
        refund_window_seconds=2**32 - 1,
        default_buyer_bps=2**16 - 1,
    )
    for order in (plain, widest):
        order_id = order.order_id(world.domain)
        assert contract.functions.orderIdOf(order.to_tuple()).call() == order_id
        assert contract.functions.vaultOf(order_id).call() == vault_address(world.domain, order_id)


def test_the_contract_takes_the_sdks_messages(world: World) -> None:
    """Request, dispute and settlement by signatures alone; a stranger brings them."""
    stranger = world.anvil.funded_account()
    base = world.anvil.now() + 100
    order = world.terms(base, salt=101)
    order_id = order.order_id(world.domain)
    account = EscrowAccount(world.anvil.w3, world.domain, stranger)
    world.fund(order)
    world.anvil.mine_at(order.pay_by)
    request = messages.refund_request(world.domain, order_id)
    signature = messages.sign(world.parties[Role.SELLER], request)
    account.send(world.domain.escrow, calls.request_refund(order, signature))
    opening = messages.sign(world.parties[Role.BUYER], messages.dispute(world.domain, order_id))
    account.dispute(order, Role.BUYER, opening)
    state = account.state(order_id)
    assert state.disputed_at >= state.refund_requested_at >= order.pay_by

    by = sign_all(world, order, {600_001})[600_001]
    account.settle(order, 600_001, FOREVER, {r: by[r] for r in (Role.BUYER, Role.ARBITRATOR)})
    assert world.anvil.w3.eth.get_code(world.contract().functions.vaultOf(order_id).call())


def test_a_refused_signature_names_the_sdks_digest(world: World) -> None:
    order = world.terms(world.anvil.now(), salt=102)
    message = messages.settlement(world.domain, order.order_id(world.domain), 0, FOREVER)
    refusal = world.refusal(calls.settle(order, 0, FOREVER, {Role.BUYER: bytes(65)}))
    assert refusal is not None
    assert refusal.startswith("InvalidSignature(")
    assert digest(message).hex() in refusal
