"""The five orders. Each has phases; between them the local chain's clock moves on."""

from dataclasses import dataclass, field
from typing import Any

from coordinator.demo.trader import Trader

UNIT = 10**6
Json = dict[str, Any]


@dataclass
class Scenario:
    """One order from ad to end. `share` is the part of the amount that goes to the buyer."""

    letter: str
    title: str
    maker_side: str
    method: str
    amount_units: int
    price: str
    maker: Trader
    taker: Trader
    arbitrator: Trader
    share: int = 0
    order: Json = field(default_factory=dict)

    @property
    def seller(self) -> Trader:
        return self.maker if self.maker_side == "sell" else self.taker

    @property
    def buyer(self) -> Trader:
        return self.taker if self.maker_side == "sell" else self.maker

    def open(self) -> None:
        """Ad, match, terms, deposit; then the buyer may pay."""
        ad = {
            "side": self.maker_side,
            "fiat": "EUR",
            "price": self.price,
            "available_units": str(10 * self.amount_units),
            "min_fiat_minor": "1000",
            "max_fiat_minor": "1000000",
            "payment_methods": [self.method],
            "pay_by_seconds": 900,
            "instructions": f"Pay by {self.method}; the reference is in the chat.",
        }
        posted = self.maker.post_ad(self.letter, ad)
        want = {
            "ad_id": posted["id"],  # not the best one: a folder that is used again has others
            "side": "buy" if self.maker_side == "sell" else "sell",
            "fiat": "EUR",
            "payment_method": self.method,
            "amount_units": str(self.amount_units),
        }
        self.order = self.taker.take(self.letter, want)
        for trader in (self.taker, self.maker):
            trader.sign_terms(self.letter, self.order)
        self.seller.fund(self.letter, self.order)
        self.order = self.buyer.wait_for_status(self.letter, self.order, "awaiting_payment")

    def before_pay_by(self) -> None:
        """What happens while the buyer may pay."""

    def after_pay_by(self) -> None:
        """What happens once the pay-by time has passed."""

    def after_refund_window(self) -> None:
        """What happens once a refund request has waited long enough."""

    def finish(self) -> None:
        status = "completed" if self.share else "cancelled"
        self.order = self.taker.wait_for_status(self.letter, self.order, status)

    def run_first(self) -> None:
        self.open()
        self.before_pay_by()


class Release(Scenario):
    def before_pay_by(self) -> None:
        self.buyer.pay(self.letter, self.order, "INV-1001")
        self.seller.wait_for_status(self.letter, self.order, "paid")
        self.share = self.amount_units
        self.seller.sign(self.letter, self.order, self.share, "has the money, signs the release")
        self.finish()


class AgreedRefund(Scenario):
    def before_pay_by(self) -> None:
        self.buyer.pay(self.letter, self.order, "INV-1002")
        self.seller.wait_for_status(self.letter, self.order, "paid")
        # The buyer signs last: with the co-signer, the buyer's word is enough for a refund.
        signed = self.seller.sign(
            self.letter, self.order, 0, "sends the money back, signs a refund"
        )
        until = signed["settlements"][-1]["valid_until"]
        self.buyer.sign(self.letter, self.order, 0, "has it back, signs the refund too", until)
        self.finish()


class SellerAlone(Scenario):
    def after_pay_by(self) -> None:
        self.seller.request_refund(self.letter, self.order)

    def after_refund_window(self) -> None:
        self.seller.reclaim(self.letter, self.order)
        self.finish()


class Watchtower(Scenario):
    def before_pay_by(self) -> None:
        self.buyer.pay(self.letter, self.order, "INV-1004")

    def after_pay_by(self) -> None:
        self.seller.request_refund(self.letter, self.order)
        self.order = self.buyer.wait_for_status(self.letter, self.order, "disputed")
        self.share = self.amount_units
        ruled = self.arbitrator.sign(self.letter, self.order, self.share, "rules for the buyer")
        until = ruled["settlements"][-1]["valid_until"]
        self.buyer.sign(self.letter, self.order, self.share, "signs the ruling", until)
        self.finish()


class Split(Scenario):
    def before_pay_by(self) -> None:
        self.buyer.pay(self.letter, self.order, "INV-1005")
        self.seller.open_dispute(self.letter, self.order, "only part of the money arrived")
        self.order = self.seller.wait_for_status(self.letter, self.order, "disputed")
        self.share = self.amount_units * 2 // 5
        ruled = self.arbitrator.sign(self.letter, self.order, self.share, "rules a split: 40 %")
        until = ruled["settlements"][-1]["valid_until"]
        self.seller.sign(self.letter, self.order, self.share, "signs the ruling", until)
        self.finish()


# (class, title, the maker's side, payment method, amount in whole tokens, price)
PLAN = (
    (Release, "release after payment", "sell", "sepa", 100, "0.93"),
    (AgreedRefund, "refund by agreement", "buy", "pix", 250, "0.91"),
    (SellerAlone, "pay-by passes, the seller reclaims alone", "sell", "upi", 75, "0.94"),
    (Watchtower, "watchtower and ruling for the buyer", "sell", "cash", 120, "0.95"),
    (Split, "split ruling", "buy", "bank_transfer", 333, "0.90"),
)
LETTERS = "abcde"
