"""One order on a running stack, step by step, by a seller and a buyer with wallets of their own."""

from pathlib import Path
from typing import Any, Self

from eth_account.signers.local import LocalAccount
from otc_sdk.api import Api
from otc_sdk.chain import EscrowAccount, connect
from otc_sdk.client import Client
from otc_sdk.platform import Platform
from otc_sdk.terms import Terms
from web3 import Web3

from coordinator.stack.accounts import Accounts
from tests.e2e.processes import wait_until

STATUS_SECONDS = 90
AMOUNT_UNITS = 100 * 10**6
Json = dict[str, Any]


class Trade:
    """The seller posts an ad, the buyer takes it. `ready` is what `otc up --json` printed."""

    def __init__(self, ready: Json, data_dir: Path) -> None:
        accounts = Accounts(data_dir / "keys")
        self.ready, self.order = ready, {}
        self.w3 = connect(ready["rpc"])
        with Api(ready["api"]) as anyone:
            self.platform = Platform.read(anyone.platform)
        self.seller = self.client(accounts.load("seller"))
        self.buyer = self.client(accounts.load("buyer"))
        self.fee_recipient = accounts.load("treasury").address

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for client in (self.seller, self.buyer):
            client.http.close()

    def client(self, account: LocalAccount) -> Client:
        client = Client(self.ready["api"], account, pinned=[self.platform])
        client.sign_in()
        return client

    def open(self) -> None:
        """Ad, order, terms signed by both."""
        posted = self.seller.post("/ads", {
            "side": "sell", "fiat": "EUR", "price": "0.93",
            "available_units": str(3 * AMOUNT_UNITS),
            "min_fiat_minor": "1000", "max_fiat_minor": "1000000",
            "payment_methods": ["sepa"], "pay_by_seconds": 900, "instructions": "by SEPA",
        })  # fmt: skip
        self.order = self.buyer.post("/orders", {
            "side": "buy", "fiat": "EUR", "payment_method": "sepa",
            "amount_units": str(AMOUNT_UNITS), "ad_id": posted["id"],
        })  # fmt: skip
        for client in (self.buyer, self.seller):
            client.sign_terms(self.order)

    def fund(self) -> None:
        EscrowAccount(self.w3, self.seller.domain, self.seller.account).fund(self.terms)

    @property
    def terms(self) -> Terms:
        return Terms.from_dict(self.order["terms"])

    def pay(self) -> None:
        self.buyer.mark_paid(self.order, "INV-1")

    def release(self) -> None:
        self.seller.sign_settlement(self.order, AMOUNT_UNITS)

    def now(self) -> Json:
        return self.buyer.order(self.order["id"])

    def await_status(self, status: str) -> None:
        wait_until(lambda: self.now()["status"] == status, STATUS_SECONDS, f"{status}: the order")

    def balances(self) -> list[int]:
        """Of seller, buyer, the fee's recipient and the vault."""
        owners = [self.seller.address, self.buyer.address, self.fee_recipient]
        if self.order:
            owners.append(self.order["escrow"]["vault"])
        return [self.balance(owner) for owner in owners]

    def balance(self, owner: str) -> int:
        data = Web3.keccak(text="balanceOf(address)")[:4] + bytes(12) + bytes.fromhex(owner[2:])
        token = Web3.to_checksum_address(self.ready["token"])
        return int.from_bytes(self.w3.eth.call({"to": token, "data": data}), "big")

    def require_released_once(self, before: list[int]) -> None:
        """The order is completed by one transaction, and every balance is right to the unit."""
        order, fee = self.now(), self.terms.fee_units
        assert order["status"] == "completed"
        sent = [t["key"].split(":")[0] for t in order["transactions"]]
        assert sent == ["settle"]
        log = [entry["event"] for entry in self.buyer.log(self.order["id"])]
        for once in ("transaction_mined", "paid", "funded", "paid_out"):
            assert log.count(once) <= 1, log
        seller, buyer, fees = before[:3]
        assert self.balances() == [
            seller - AMOUNT_UNITS, buyer + AMOUNT_UNITS - fee, fees + fee, 0
        ]  # fmt: skip
