"""Taking an ad: the best one, or one by its number. The row is locked, so it is never oversold."""

from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Numeric, and_, cast, literal
from sqlmodel import Session, col, func, select

from coordinator.db.ads import Ad
from coordinator.domain.ads import AdStatus
from coordinator.domain.errors import Conflict, NotFound
from coordinator.domain.matching import Want, amount_units, best, mismatch
from coordinator.domain.money import minor_digits
from coordinator.domain.platform import Platform
from coordinator.services.ads import by_priority, offer_of

# How many ads a search looks at before it gives up; more would let one taker hold up the book.
MAX_CANDIDATES = 500
# How often a search starts again because the ad it found was taken by another in between.
MAX_TRIES = 5


def take(session: Session, platform: Platform, want: Want, ad_id: int | None) -> tuple[Ad, int]:
    """Reserve the want's amount on an ad; return (ad, units). Raises NotFound or Conflict."""
    chain_id, decimals = platform.domain.chain_id, platform.token_decimals
    if ad_id is not None:
        return reserve(session, want, ad_id, platform)
    for _ in range(MAX_TRIES):
        query = (
            by_priority(chain_id, want.side.opposite, want.fiat, want.worst_price)
            .where(col(Ad.payment_methods).contains([want.payment_method]), fits(want, decimals))
            .limit(MAX_CANDIDATES)
        )
        ads = session.exec(query).all()
        found = best(want, ((ad.id, offer_of(ad)) for ad in ads), decimals)
        if found is None:
            raise NotFound("no_match", "no open ad serves this amount, price and payment method")
        try:
            return reserve(session, want, found, platform)
        except Conflict:
            session.expire_all()
    raise Conflict("busy", "the ads changed while matching; try again")


def fits(want: Want, decimals: int) -> ColumnElement[bool]:
    """As domain.matching.mismatch, where the ads are: those that serve nobody use no search up."""
    digits, price = minor_digits(want.fiat), cast(col(Ad.price), Numeric)
    units: ColumnElement[Any] = literal(want.amount_units, Numeric)
    if want.amount_units is None:
        wanted = literal((want.fiat_amount_minor or 0) * 10**decimals, Numeric)
        units = func.div(wanted, price * 10**digits, type_=Numeric)
    minor = units * price * literal(Decimal(10) ** (digits - decimals), Numeric)
    fiat = func.floor(minor + literal(Decimal("0.5"), Numeric), type_=Numeric)
    enough = and_(units > 0, units <= cast(col(Ad.available_units), Numeric))
    limits = fiat.between(col(Ad.min_fiat_minor), col(Ad.max_fiat_minor))
    return and_(enough, limits, col(Ad.maker) != want.taker)


def reserve(session: Session, want: Want, ad_id: int, platform: Platform) -> tuple[Ad, int]:
    """Lock the ad, check it again, and take the amount off what is available."""
    ad = session.exec(
        select(Ad).where(Ad.id == ad_id).with_for_update().execution_options(populate_existing=True)
    ).first()
    decimals = platform.token_decimals
    if ad is None or ad.chain_id != platform.domain.chain_id:
        raise NotFound("no_such_ad", f"there is no ad {ad_id}")
    if ad.status != AdStatus.OPEN:
        raise Conflict("ad_closed", f"ad {ad_id} is closed")
    offer = offer_of(ad)
    reason = mismatch(want, offer, decimals)
    if reason is not None:
        raise Conflict("ad_does_not_fit", f"ad {ad_id} does not fit: {reason}")
    units = amount_units(want, offer, decimals)
    ad.available_units -= units
    return ad, units


def give_back(session: Session, ad_id: int, units: int) -> None:
    """Return an ended order's amount to its ad."""
    ad = session.exec(
        select(Ad).where(Ad.id == ad_id).with_for_update().execution_options(populate_existing=True)
    ).one()
    ad.available_units += units
