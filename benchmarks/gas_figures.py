"""The figures: gas of every verb, by who sends, who signs, and how many at once.

Every recipient holds the token already. "Direct": a party sends and counts as a signer.
"Relayed": a stranger sends what the parties signed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from eth_account.signers.local import LocalAccount
from otc_sdk import calls, deposits, messages
from otc_sdk.roles import Role
from otc_sdk.terms import Terms
from web3 import Web3

from benchmarks.gas_chain import AMOUNT, VALID_UNTIL, Bench, Safe
from tests.chain import TOKEN_SUPPLY_UNITS, account_of
from tests.mocks import mock

BATCHES = (1, 10, 50)
SPLIT = AMOUNT * 6 // 10

Figures = dict[str, int]


@dataclass(frozen=True)
class Exit:
    """One way to settle: what the buyer gets, who sends if direct, who signs then."""

    to_buyer: int
    sender: Role
    signer: Role
    disputed: bool = False


EXITS = {
    "release": Exit(AMOUNT, Role.COORDINATOR, Role.SELLER),
    "refund": Exit(0, Role.COORDINATOR, Role.BUYER),
    "split": Exit(SPLIT, Role.SELLER, Role.BUYER),
    "ruling": Exit(AMOUNT, Role.ARBITRATOR, Role.BUYER, disputed=True),
    "ruling_split": Exit(SPLIT, Role.ARBITRATOR, Role.BUYER, disputed=True),
}


def measure(bench: Bench) -> Figures:
    """Every figure by name."""
    families: tuple[Callable[[Bench], Figures], ...] = (
        funding, settlements, refund_by_time, disputes, default_split, batches, safes, claims,
        sweeps, publication,
    )  # fmt: skip
    figures = {"deploy": bench.deploy_gas}
    for family in families:
        figures |= family(bench)
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
    figures = {}
    for name, way in EXITS.items():
        figures[name] = direct(bench, way)
        figures[f"{name}_relayed"] = relayed(bench, way)
    return figures


def opened(bench: Bench, way: Exit, **changes: Any) -> Terms:
    return bench.disputed(**changes) if way.disputed else bench.funded(**changes)


def direct(bench: Bench, way: Exit) -> int:
    order = opened(bench, way)
    signatures = bench.signed(order, way.to_buyer, [way.signer])
    return bench.settle(bench.parties[way.sender], order, way.to_buyer, signatures)


def relayed(bench: Bench, way: Exit) -> int:
    order = opened(bench, way)
    signatures = bench.signed(order, way.to_buyer, [way.signer, way.sender])
    return bench.settle(bench.relayer, order, way.to_buyer, signatures)


def refund_by_time(bench: Bench) -> Figures:
    seller, order, other = bench.parties[Role.SELLER], bench.funded(), bench.funded()
    bench.time = other.pay_by
    request = messages.refund_request(bench.domain, other.order_id(bench.domain))
    signature = messages.sign(seller, request)
    figures = {
        "request_refund": bench.call(seller, calls.request_refund(order)),
        "request_refund_relayed": bench.call(bench.relayer, calls.request_refund(other, signature)),
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
    message = messages.dispute(bench.domain, other.order_id(bench.domain))
    brought = calls.dispute(other, Role.BUYER, messages.sign(buyer, message))
    return {
        "dispute": bench.call(buyer, calls.dispute(order, Role.BUYER)),
        "dispute_relayed": bench.call(bench.relayer, brought),
    }


def default_split(bench: Bench) -> Figures:
    """Nobody ruled: anyone sends it, nobody signs."""
    order = bench.disputed()
    bench.time += order.ruling_window_seconds + order.final_window_seconds
    return {"default_split": bench.settle(bench.relayer, order, order.default_to_buyer_units(), {})}


def batches(bench: Bench) -> Figures:
    """One seller's releases, as many buyers; an order's share of the gas, rounded up."""
    coordinator, figures = bench.parties[Role.COORDINATOR], {}
    for count in BATCHES:
        figures[f"release_per_order_in_batch_of_{count}"] = batch(
            bench, coordinator, [Role.SELLER], count
        )
        figures[f"release_relayed_per_order_in_batch_of_{count}"] = batch(
            bench, bench.relayer, [Role.SELLER, Role.COORDINATOR], count
        )
    return figures


def batch(bench: Bench, by: LocalAccount, signers: list[Role], count: int) -> int:
    orders = [bench.funded(f"buyer {i}") for i in range(count)]
    data = calls.settle_batch(
        [(order, AMOUNT, VALID_UNTIL, bench.signed(order, AMOUNT, signers)) for order in orders]
    )
    used = bench.call(by, data)
    vaults = [Web3.to_checksum_address(bench.vault(order)) for order in orders]
    if not all(bench.anvil.w3.eth.get_code(vault) for vault in vaults):
        raise RuntimeError("an item of the batch failed")
    return -(-used // count)


def safes(bench: Bench) -> Figures:
    """A Safe, two of three, in a party's place; its two owners' signatures by ERC-1271."""
    safe = Safe(bench)
    return {
        "release_safe_seller": by_safe(bench, safe, EXITS["release"], "seller", Role.SELLER),
        "ruling_safe_arbitrator": by_safe(
            bench, safe, EXITS["ruling"], "arbitrator", Role.ARBITRATOR
        ),
    }


def by_safe(bench: Bench, safe: Safe, way: Exit, member: str, role: Role) -> int:
    """The Safe signs, the other of the two who must sign sends."""
    order = opened(bench, way, **{member: safe.address})
    other = way.signer if role is way.sender else way.sender
    signature = safe.sign(bench.settlement(order, way.to_buyer))
    return bench.settle(bench.parties[other], order, way.to_buyer, {role: signature})


def claims(bench: Bench) -> Figures:
    """What a token refused the buyer, to themselves, and elsewhere with the coordinator's word."""
    order, other = refused_release(bench), refused_release(bench)
    buyer, to = bench.parties[Role.BUYER], account_of("buyer 1").address
    message = messages.claim_to(
        bench.domain, other.order_id(bench.domain), buyer.address, to, VALID_UNTIL
    )
    consent = messages.sign(bench.parties[Role.COORDINATOR], message)
    return {
        "claim": bench.call(buyer, calls.claim(order, order.buyer)),
        "claim_to_another": bench.call(buyer, calls.claim(other, to, VALID_UNTIL, consent)),
    }


def refused_release(bench: Bench) -> Terms:
    """A release whose token refuses the buyer at first."""
    token = bench.mock("RefusingToken")
    order = bench.order(token=token)
    set_manner = "setManner(address,uint8)"
    bench.send(bench.owner, token, calls.call("mint(address,uint256)", bench.vault(order), AMOUNT))
    bench.send(bench.owner, token, calls.call(set_manner, order.buyer, 1))
    signatures = bench.signed(order, AMOUNT, [Role.SELLER])
    bench.settle(bench.parties[Role.COORDINATOR], order, AMOUNT, signatures)
    bench.send(bench.owner, token, calls.call(set_manner, order.buyer, 0))
    return order


def sweeps(bench: Bench) -> Figures:
    """Late tokens to the seller, by anyone."""
    order = bench.funded()
    signatures = bench.signed(order, AMOUNT, [Role.SELLER])
    bench.settle(bench.parties[Role.COORDINATOR], order, AMOUNT, signatures)
    bench.fund(order)
    return {"sweep": bench.call(bench.relayer, calls.sweep(order, bench.token))}


def publication(bench: Bench) -> Figures:
    return {"publish": bench.call(bench.relayer, calls.publish(bench.order()))}
