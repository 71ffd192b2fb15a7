"""Posting, closing and listing ads."""

from decimal import Decimal

from sqlmodel import Session, col, func, select
from sqlmodel.sql.expression import SelectOfScalar

from coordinator.db.ads import Ad
from coordinator.domain.ads import (
    MAX_OPEN_ADS_PER_MERCHANT,
    AdStatus,
    Offer,
    Side,
    require_offer,
)
from coordinator.domain.errors import Conflict, Forbidden, NotFound
from coordinator.domain.platform import Platform

MAX_LISTED = 100


def offer_of(ad: Ad) -> Offer:
    """The pure view of a row."""
    return Offer(
        side=Side(ad.side),
        fiat=ad.fiat,
        price=ad.price,
        available_units=ad.available_units,
        min_fiat_minor=ad.min_fiat_minor,
        max_fiat_minor=ad.max_fiat_minor,
        payment_methods=frozenset(ad.payment_methods),
        pay_by_seconds=ad.pay_by_seconds,
        maker=ad.maker,
    )


def post(session: Session, platform: Platform, offer: Offer, instructions: str, now: int) -> Ad:
    """Open an ad. Raises Invalid or Conflict; see domain.ads.require_offer."""
    require_offer(offer, platform.payment_methods)
    if offer.maker in (platform.coordinator, platform.arbitrator):
        raise Forbidden("not_a_trader", "the coordinator and the arbitrator do not trade")
    opened = session.exec(
        select(func.count()).where(Ad.maker == offer.maker, Ad.status == AdStatus.OPEN)
    ).one()
    if opened >= MAX_OPEN_ADS_PER_MERCHANT:
        raise Conflict("too_many_ads", f"at most {MAX_OPEN_ADS_PER_MERCHANT} ads may be open")
    ad = Ad(
        chain_id=platform.domain.chain_id,
        maker=offer.maker,
        side=offer.side,
        fiat=offer.fiat,
        price=offer.price,
        total_units=offer.available_units,
        available_units=offer.available_units,
        min_fiat_minor=offer.min_fiat_minor,
        max_fiat_minor=offer.max_fiat_minor,
        payment_methods=sorted(offer.payment_methods),
        pay_by_seconds=offer.pay_by_seconds,
        instructions=instructions,
        status=AdStatus.OPEN,
        created_at=now,
    )
    session.add(ad)
    session.flush()
    return ad


def close(session: Session, ad_id: int, maker: str) -> Ad:
    """Close an ad; open orders of it go on. Raises NotFound, Forbidden, Conflict."""
    ad = session.get(Ad, ad_id, with_for_update=True)
    if ad is None:
        raise NotFound("no_such_ad", f"there is no ad {ad_id}")
    if ad.maker != maker:
        raise Forbidden("not_your_ad", f"ad {ad_id} is not yours")
    if ad.status != AdStatus.OPEN:
        raise Conflict("ad_closed", f"ad {ad_id} is closed already")
    ad.status = AdStatus.CLOSED
    return ad


def by_priority(
    chain_id: int, side: Side, fiat: str, worst_price: Decimal | None
) -> SelectOfScalar[Ad]:
    """Open ads of a maker's side, best price for the taker first, then the oldest."""
    query = select(Ad).where(
        Ad.chain_id == chain_id, Ad.status == AdStatus.OPEN, Ad.side == side, Ad.fiat == fiat
    )
    price = col(Ad.price)
    if worst_price is not None:
        query = query.where(price <= worst_price if side is Side.SELL else price >= worst_price)
    return query.order_by(price.asc() if side is Side.SELL else price.desc(), col(Ad.id))


def listed(
    session: Session, chain_id: int, side: Side, fiat: str, method: str | None, limit: int
) -> list[Ad]:
    query = by_priority(chain_id, side, fiat, None).where(col(Ad.available_units) > 0)
    if method is not None:
        query = query.where(col(Ad.payment_methods).contains([method]))
    return list(session.exec(query.limit(min(limit, MAX_LISTED))).all())
