"""What people do to an order, by the status it is in: mostly what it needs, sometimes harm."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from otc_sdk import calls, messages
from otc_sdk.roles import Role
from otc_sdk.terms import Terms

from coordinator.services.ports import CosignRefused, CosignRequest
from tests.simulation.actors import BUYERS, BY_ADDRESS, GAS_KEYS, SELLERS, STRANGER, Consent
from tests.simulation.world import DOMAIN, TOKEN, WRONG_TOKEN, Simulation
from tests.world import AMOUNT

S, B, C, A = Role
Act = Callable[[Simulation, Any], None]
MAX_ORDERS = 3
VALIDITY_SECONDS = (700, 4000, 20_000)


def place(world: Simulation) -> None:
    """A seller posts an ad if there is none, and a buyer takes it."""
    seller, buyer = world.chance.choice(SELLERS), world.chance.choice(BUYERS)
    ads = world.hall.rows("select id from ads where maker = %s", seller.address)
    if not ads:
        world.ask("an ad", lambda: world.post_ad(maker=seller.address))
        return
    ad_id = ads[0].id
    order_id = world.ask("an order", lambda: world.place(ad_id, taker=buyer.address))
    if order_id is not None and world.chance.random() < 0.6:
        (row,) = [row for row in world.order_rows() if row.id == order_id]
        world.ask(f"terms of {row.id[:8]}", lambda: world.sign_terms(row.id, seller, buyer))
        (fund_short if world.chance.random() < 0.15 else fund)(world, row)


def sign_terms(world: Simulation, row: Any) -> None:
    by = [BY_ADDRESS[a] for a in (row.seller, row.buyer) if world.chance.random() < 0.8]
    if by:
        world.ask(f"terms of {row.id[:8]}", lambda: world.sign_terms(row.id, *by))


def fund(world: Simulation, row: Any, units: int | None = None, token: str = TOKEN) -> None:
    sent = int(row.amount_units) if units is None else units
    data = calls.transfer(row.vault, sent)
    world.call(f"{sent} into {row.id[:8]}", row.seller, token, data)


def deposit(world: Simulation, row: Any) -> None:
    """What is still needed: all, the rest of a short deposit or its refund, or the signatures."""
    held = world.truth.head.state.balance(TOKEN, row.vault)
    if held >= int(row.amount_units):
        sign_terms(world, row)
    elif held and world.chance.random() < 0.5:
        refund(world, row)
    else:
        fund(world, row, int(row.amount_units) - held)


def fund_short(world: Simulation, row: Any) -> None:
    fund(world, row, world.chance.choice((1, AMOUNT // 2, AMOUNT - 1)))


def fund_more(world: Simulation, row: Any) -> None:
    fund(world, row, world.chance.choice((1, AMOUNT, AMOUNT + 1)))


def fund_wrong(world: Simulation, row: Any) -> None:
    fund(world, row, AMOUNT, WRONG_TOKEN)


def withdraw(world: Simulation, row: Any) -> None:
    by = BY_ADDRESS[world.chance.choice((row.seller, row.buyer))]
    world.ask(f"withdraw {row.id[:8]}", lambda: world.withdraw(row.id, by))


def mark_paid(world: Simulation, row: Any) -> None:
    buyer = BY_ADDRESS[row.buyer]
    world.ask(f"paid {row.id[:8]}", lambda: world.mark_paid(row.id, buyer))


def until(world: Simulation) -> int:
    return max(world.now, world.truth.now) + world.chance.choice(VALIDITY_SECONDS)


def release(world: Simulation, row: Any) -> None:
    world.hand_in(row, S, int(row.amount_units), until(world))


def refund(world: Simulation, row: Any) -> None:
    world.hand_in(row, B, 0, until(world))


def ask_refund_as_seller(world: Simulation, row: Any) -> None:
    """A seller wants the tokens back, whether the buyer paid or not."""
    world.hand_in(row, S, 0, until(world))


def release_as_buyer(world: Simulation, row: Any) -> None:
    """A buyer who signs to get the tokens; that is not enough."""
    world.hand_in(row, B, int(row.amount_units), until(world))


def split(world: Simulation, row: Any) -> None:
    units, valid = world.chance.randint(1, int(row.amount_units)), until(world)
    for role in (S, B):
        world.hand_in(row, role, units, valid)


def rule(world: Simulation, row: Any) -> None:
    units = world.chance.choice((0, int(row.amount_units), world.chance.randint(0, AMOUNT)))
    valid = until(world)
    for role in (A, world.chance.choice((S, B))):
        world.hand_in(row, role, units, valid)


def open_dispute(world: Simulation, row: Any) -> None:
    by = BY_ADDRESS[world.chance.choice((row.seller, row.buyer))]
    world.ask(f"dispute {row.id[:8]}", lambda: world.open_dispute(row.id, by))


def dispute_directly(world: Simulation, row: Any) -> None:
    role = world.chance.choice((S, B))
    terms = Terms.from_dict(row.terms)
    data = calls.dispute(terms, role)
    world.call(f"dispute {row.id[:8]} on chain", terms.holder(role), DOMAIN.escrow, data)


def request_refund(world: Simulation, row: Any) -> None:
    """The seller alone, on chain; before the pay-by time it reverts."""
    data = calls.request_refund(Terms.from_dict(row.terms))
    world.call(f"refund of {row.id[:8]} requested", row.seller, DOMAIN.escrow, data)


def refund_alone(world: Simulation, row: Any) -> None:
    """The seller takes the refund; before its window has passed it reverts."""
    data = calls.settle(Terms.from_dict(row.terms), 0, 2**40, {})
    world.call(f"seller settles {row.id[:8]} alone", row.seller, DOMAIN.escrow, data)


def settle_directly(world: Simulation, row: Any) -> None:
    """Both traders agree and one of them brings it, past the coordinator."""
    terms = Terms.from_dict(row.terms)
    units = world.chance.choice((0, terms.amount_units, terms.amount_units // 3))
    signature = messages.sign(
        BY_ADDRESS[row.buyer],
        messages.settlement(DOMAIN, terms.order_id(DOMAIN), units, 2**40),
    )
    data = calls.settle(terms, units, 2**40, {B: signature})
    world.call(f"traders settle {row.id[:8]} for {units}", row.seller, DOMAIN.escrow, data)


def sweep(world: Simulation, row: Any) -> None:
    token = world.chance.choice((TOKEN, WRONG_TOKEN))
    data = calls.sweep(Terms.from_dict(row.terms), token)
    world.call(f"sweep of {row.id[:8]}", STRANGER.address, DOMAIN.escrow, data)


def freeze(world: Simulation, row: Any) -> None:
    frozen = world.truth.head.state.frozen
    verb = "removeBlackList" if row.vault in frozen else "addBlackList"
    data = calls.call(f"{verb}(address)", row.vault)
    world.call(f"{verb} {row.id[:8]}", STRANGER.address, TOKEN, data)


def ask_cosigner(world: Simulation, row: Any) -> None:
    """Whoever stole the keeper's token asks: too early with a true consent, or with a false one."""
    terms, valid = Terms.from_dict(row.terms), until(world)
    units = world.chance.choice((0, terms.amount_units, terms.amount_units, AMOUNT // 2))
    giving, other = (B, S) if units == 0 else (S, B)
    role = world.chance.choice((giving, other))
    message = messages.settlement(DOMAIN, terms.order_id(DOMAIN), units, valid)
    signature = "0x" + messages.sign(BY_ADDRESS[terms.holder(role)], message).hex()
    world.consents.add(Consent(row.id, role, units, valid))
    request = CosignRequest(row.terms, units, valid, signature)

    def steal() -> None:
        with suppress(CosignRefused):
            world.cosigner("api").cosign(request)

    world.ask(f"a thief asks for {units} of {row.id[:8]}, signed by {role.label}", steal)


def use_gas_key(world: Simulation, row: Any) -> None:
    """The operator sends something else with the gas-paying key."""
    data = calls.transfer(STRANGER.address, 0)
    world.call("the gas key is used elsewhere", GAS_KEYS[0].address, TOKEN, data)


# What is done to an order in a status, with weights.
HABITS: dict[str, tuple[tuple[float, Act], ...]] = {
    "pending": (
        (6, sign_terms), (6, deposit), (1, fund_short), (1, fund_more), (0.3, fund_wrong),
        (0.3, withdraw), (1, refund), (0.2, open_dispute), (0.5, settle_directly),
    ),
    "awaiting_payment": (
        (12, mark_paid), (1, release), (1, refund), (0.5, ask_refund_as_seller), (1, split),
        (1, open_dispute), (1, request_refund), (0.5, fund_more), (0.3, freeze),
        (0.5, refund_alone), (0.5, dispute_directly), (0.5, settle_directly),
    ),
    "paid": (
        (8, release), (2, request_refund), (2, refund_alone), (1, open_dispute), (1, refund),
        (0.5, split), (1, ask_refund_as_seller), (0.5, release_as_buyer), (0.3, freeze),
        (0.5, settle_directly), (0.5, dispute_directly),
    ),
    "awaiting_release": (
        (1, mark_paid), (1, refund), (1, settle_directly), (1, request_refund), (0.5, freeze),
        (1, open_dispute),
    ),
    "awaiting_refund": ((1, release), (1, settle_directly), (1, open_dispute), (0.5, freeze)),
    "disputed": (
        (4, rule), (1, release), (1, refund), (1, settle_directly), (0.5, split),
        (0.5, freeze), (0.5, refund_alone),
    ),
    "completed": ((1, fund_more), (1, sweep), (0.5, release)),
    "cancelled": ((1, fund), (1, sweep), (0.5, release), (0.5, refund)),
    "expired": ((2, deposit), (1, release), (2, refund), (1, settle_directly), (1, request_refund)),
}  # fmt: skip
ANY: tuple[tuple[float, Act], ...] = ((0.2, use_gas_key), (0.5, ask_cosigner))


def act(world: Simulation) -> None:
    """Somebody does something to some order, or makes one."""
    rows = world.order_rows()
    if not rows or (len(rows) < MAX_ORDERS and world.chance.random() < 0.1):
        place(world)
        return
    row = world.chance.choice(rows)
    habits = HABITS[row.status] + ANY
    weights = [weight for weight, _ in habits]
    ((_, chosen),) = world.chance.choices(habits, weights)
    chosen(world, row)
