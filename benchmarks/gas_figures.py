"""The figures: gas of every verb, by who sends, who signs, and how many at once.

Every recipient holds the token already. "Direct": a party sends and counts as a signer.
"Relayed": a stranger sends what the parties signed.
"""

from collections.abc import Callable

from otc_sdk import calls, deposits, messages
from otc_sdk.artifacts import load
from otc_sdk.roles import Role
from otc_sdk.terms import ZERO_ADDRESS, Terms

from benchmarks.gas_chain import AMOUNT, PAY_SECONDS, VALID_UNTIL, Bench
from benchmarks.gas_exits import BATCHES, Case, Figures, cases, one_by_one, side_by_side
from tests.chain import TOKEN_SUPPLY_UNITS, account_of
from tests.mocks import mock


def measure(bench: Bench) -> Figures:
    """Every figure by name. What was sent before moves salts and times, and with them the zero
    bytes of calldata: a new family goes last."""
    families: tuple[Callable[[Bench], Figures], ...] = (
        funding, settlements, refund_by_time, disputes, default_split, batches, safes, claims,
        sweeps, publication, foreign_sweeps, other_verbs_by_safe,
    )  # fmt: skip
    figures = {"deploy": bench.deploy_gas}
    for family in families:
        figures |= family(bench)
    figures |= side_by_side(bench, (case for case in cases() if case.name not in figures))
    return figures | sums(figures)


def sums(figures: Figures) -> Figures:
    """What a whole order costs."""
    in_batches = {
        f"fund_plus_release_in_batch_of_{n}": figures["fund"]
        + figures[f"release_per_order_in_batch_of_{n}"]
        for n in BATCHES
    }
    return in_batches | {
        "fund_plus_release": figures["fund"] + figures["release"],
        "dispute_and_ruling": figures["dispute"] + figures["ruling"],
    }


def funding(bench: Bench) -> Figures:
    """A plain transfer, and what anyone brings with the seller's signature."""
    return {
        "bare_transfer": bench.transfer(account_of("fresh").address),
        "fund": bench.fund(bench.order()),
        "fund_eip3009": fund_eip3009(bench),
        "fund_permit2": fund_permit2(bench),
    }


def fund_eip3009(bench: Bench) -> int:
    token = bench.mock("AuthorizedToken", TOKEN_SUPPLY_UNITS, "Tether USD", "1")
    seller = bench.parties[Role.SELLER]
    bench.give(token, seller.address, 2 * AMOUNT)
    order = bench.order(token=token)
    domain = deposits.read_token_domain(bench.anvil.w3, token)
    message = deposits.authorization(domain, bench.domain, order, VALID_UNTIL)
    signature = messages.sign(seller, message)
    data = deposits.transfer_with_authorization(bench.domain, order, VALID_UNTIL, signature)
    return bench.spend(bench.relayer, token, data)


def fund_permit2(bench: Bench) -> int:
    """By a stand-in with Permit2's hashing and nonces; the approval was given long ago."""
    seller = bench.parties[Role.SELLER]
    bench.anvil.rpc("anvil_setCode", deposits.PERMIT2, mock("Permit2StandIn")["runtime"])
    approve = calls.call("approve(address,uint256)", deposits.PERMIT2, messages.UINT256_MAX)
    bench.send(seller, bench.token, approve)
    order = bench.order()
    message = deposits.permit(bench.domain, order, 1, VALID_UNTIL)
    signature = messages.sign(seller, message)
    return bench.call(bench.relayer, calls.fund_with_permit2(order, 1, VALID_UNTIL, signature))


def settlements(bench: Bench) -> Figures:
    ways = ("release", "refund", "split", "ruling", "ruling_split")
    return one_by_one(bench, (Case(way, relayed) for way in ways for relayed in (False, True)))


def refund_by_time(bench: Bench) -> Figures:
    seller, order, other = bench.parties[Role.SELLER], bench.funded(), bench.funded()
    bench.time = other.pay_by
    figures = {
        "request_refund": bench.call(seller, calls.request_refund(order)),
        "request_refund_relayed": bench.request_refund_relayed(other),
    }
    bench.time += order.refund_window_seconds
    signatures = bench.signed(other, 0, [Role.SELLER])
    return figures | {
        "refund_alone": bench.settle(seller, order, 0, {}),
        "refund_alone_relayed": bench.settle(bench.relayer, other, 0, signatures),
    }


def disputes(bench: Bench) -> Figures:
    """By the buyer, or brought by the watchtower."""
    buyer, order, other = bench.parties[Role.BUYER], bench.funded(), bench.funded()
    return {
        "dispute": bench.call(buyer, calls.dispute(order, Role.BUYER)),
        "dispute_relayed": bench.dispute_relayed(other, Role.BUYER),
    }


def default_split(bench: Bench) -> Figures:
    return one_by_one(bench, [Case("default_split")])


def batches(bench: Bench) -> Figures:
    """One seller's releases, as many buyers."""
    counts = ((relayed, count) for count in BATCHES for relayed in (False, True))
    return one_by_one(bench, (Case("release", relayed, count) for relayed, count in counts))


def safes(bench: Bench) -> Figures:
    """A merchant's Safe sells, a panel's Safe rules."""
    merchant = Case("release", safe=Role.SELLER)
    return one_by_one(bench, [merchant, Case("ruling", safe=Role.ARBITRATOR)])


def claims(bench: Bench) -> Figures:
    """What a token refused the buyer, to themselves, and elsewhere with the coordinator's word."""
    order, other = refused_release(bench), refused_release(bench)
    buyer = bench.parties[Role.BUYER]
    return {
        "claim": bench.call(buyer, calls.claim(order, order.buyer)),
        "claim_to_another": claim_to_another(bench, other),
    }


def claim_to_another(bench: Bench, order: Terms) -> int:
    to = account_of("buyer 1").address
    order_id = order.order_id(bench.domain)
    message = messages.claim_to(bench.domain, order_id, order.buyer, to, VALID_UNTIL)
    consent = bench.sign(order, Role.COORDINATOR, message)
    return bench.call(bench.parties[Role.BUYER], calls.claim(order, to, VALID_UNTIL, consent))


def refused_release(bench: Bench, **changes: str) -> Terms:
    """A release whose token refuses the buyer at first."""
    token = bench.mock("RefusingToken")
    order = bench.order(token=token, **changes)
    set_manner = "setManner(address,uint8)"
    bench.send(bench.owner, token, calls.call("mint(address,uint256)", bench.vault(order), AMOUNT))
    bench.send(bench.owner, token, calls.call(set_manner, order.buyer, 1))
    release(bench, order)
    bench.send(bench.owner, token, calls.call(set_manner, order.buyer, 0))
    return order


def release(bench: Bench, order: Terms) -> None:
    signatures = bench.signed(order, AMOUNT, [Role.SELLER, Role.COORDINATOR])
    bench.settle(bench.relayer, order, AMOUNT, signatures)


def sweeps(bench: Bench) -> Figures:
    """Late tokens to the seller, by anyone."""
    order = bench.funded()
    release(bench, order)
    bench.fund(order)
    return {"sweep": bench.call(bench.relayer, calls.sweep(order, bench.token))}


def publication(bench: Bench) -> Figures:
    return {"publish": bench.call(bench.relayer, calls.publish(bench.order()))}


def foreign_sweeps(bench: Bench) -> Figures:
    """What is not the order's token: the chain's coins, and another token."""
    order = bench.funded()
    release(bench, order)
    vault = bench.vault(order)
    bench.anvil.rpc("anvil_setBalance", vault, hex(1))
    other = bench.create(load("TetherMock"), TOKEN_SUPPLY_UNITS, 6)
    for to in (order.seller, vault):
        bench.give(other, to, AMOUNT)
    return {
        "sweep_coins": bench.call(bench.relayer, calls.sweep(order, ZERO_ADDRESS)),
        "sweep_foreign_token": bench.call(bench.relayer, calls.sweep(order, other)),
    }


def other_verbs_by_safe(bench: Bench) -> Figures:
    """What one party's Safe signs alone."""
    bench.give(bench.token, bench.safe, 1)  # from here on it holds the token, as every recipient
    sold, bought = bench.funded(seller=bench.safe), bench.funded(buyer=bench.safe)
    refused = refused_release(bench, coordinator=bench.safe)
    figures = {
        "dispute_safe_buyer_relayed": bench.dispute_relayed(bought, Role.BUYER),
        "claim_to_another_safe_coordinator": claim_to_another(bench, refused),
    }
    bench.time += PAY_SECONDS
    return figures | {"request_refund_safe_seller_relayed": bench.request_refund_relayed(sold)}
