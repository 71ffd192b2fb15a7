"""Who gets what from a settlement, as the contract divides it."""

from dataclasses import dataclass

from otc_sdk.errors import TermsError
from otc_sdk.terms import Terms


@dataclass(frozen=True)
class Payout:
    """Units to each; together the amount. A surplus in the vault goes to the seller, too."""

    buyer_units: int
    fee_units: int
    seller_units: int


def payout(terms: Terms, to_buyer_units: int) -> Payout:
    """The division of the amount: the fee is pro rata of the buyer's share, rounded down.

    Raises TermsError if the share is not 0 to the amount.
    """
    if not 0 <= to_buyer_units <= terms.amount_units:
        raise TermsError(f"to_buyer_units must be 0 to {terms.amount_units}")
    fee = terms.fee_units * to_buyer_units // terms.amount_units if to_buyer_units else 0
    return Payout(to_buyer_units - fee, fee, terms.amount_units - to_buyer_units)
