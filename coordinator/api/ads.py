"""Ads: post, list, close."""

from decimal import Decimal
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from coordinator.api.context import Caller, Here
from coordinator.api.fields import Fiat, Price, RowId, Text, Units, Whole
from coordinator.db.ads import Ad
from coordinator.db.session import transaction
from coordinator.domain.ads import Offer, Side
from coordinator.services import ads

router = APIRouter(prefix="/ads", tags=["ads"])


class AdIn(BaseModel):
    """`side` is what the maker does with the token. Limits are fiat minor units an order."""

    side: Side
    fiat: Fiat
    price: Price = Field(description="Fiat per whole token")
    available_units: Units
    min_fiat_minor: Units
    max_fiat_minor: Units
    payment_methods: list[Text] = Field(examples=[["sepa"]], max_length=20)
    pay_by_seconds: Whole = Field(description="How long the buyer has to pay", examples=[900])
    instructions: Text = Field(default="", max_length=2000)


class AdOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: int
    maker: str
    side: Side
    fiat: str
    price: Decimal
    total_units: Units
    available_units: Units
    min_fiat_minor: Units
    max_fiat_minor: Units
    payment_methods: list[str]
    pay_by_seconds: int
    status: str
    created_at: int


def out(ad: Ad) -> AdOut:
    return AdOut.model_validate(ad)


@router.post("", status_code=201)
def post_ad(here: Here, caller: Caller, body: AdIn) -> AdOut:
    """Post an ad. The instructions are shown to takers after they took it."""
    offer = Offer(
        side=body.side,
        fiat=body.fiat,
        price=body.price,
        available_units=body.available_units,
        min_fiat_minor=body.min_fiat_minor,
        max_fiat_minor=body.max_fiat_minor,
        payment_methods=frozenset(body.payment_methods),
        pay_by_seconds=body.pay_by_seconds,
        maker=caller,
    )
    with transaction(here.engine) as session:
        return out(ads.post(session, here.platform, offer, body.instructions, here.now()))


@router.get("")
def list_ads(
    here: Here,
    side: Annotated[Side, Query(description="The makers' side")],
    fiat: Fiat,
    payment_method: Text | None = None,
    limit: Annotated[int, Query(ge=1, le=ads.MAX_LISTED)] = 50,
) -> list[AdOut]:
    """Open ads, best price for the taker first, then the oldest."""
    with transaction(here.engine) as session:
        return [
            out(ad)
            for ad in ads.listed(
                session, here.platform.domain.chain_id, side, fiat, payment_method, limit
            )
        ]


@router.post("/{ad_id}/close")
def close_ad(here: Here, caller: Caller, ad_id: RowId) -> AdOut:
    """Close an ad of one's own; its open orders go on."""
    with transaction(here.engine) as session:
        return out(ads.close(session, ad_id, caller))
