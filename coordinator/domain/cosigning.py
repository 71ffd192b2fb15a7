"""When the coordinator adds its signature: only where a trader gives way to the other."""

from otc_sdk.roles import Role
from otc_sdk.terms import Terms

from coordinator.domain.errors import Forbidden, Later

# A signature that lives longer would bind the coordinator to a world that has moved on.
MAX_VALIDITY_SECONDS = 30 * 86_400


def giving_role(terms: Terms, to_buyer_units: int) -> Role:
    """The trader whose signature must be there first. Raises Forbidden for a split."""
    if to_buyer_units == terms.amount_units:
        return Role.SELLER
    if to_buyer_units == 0:
        return Role.BUYER
    raise Forbidden("cosign_split", "the coordinator co-signs releases and refunds, not splits")


def require_validity(valid_until: int, now: int) -> None:
    """Raise Forbidden unless the settlement is valid now and not for too long."""
    if not now < valid_until <= now + MAX_VALIDITY_SECONDS:
        raise Forbidden(
            "cosign_validity",
            f"valid_until {valid_until} is not within {MAX_VALIDITY_SECONDS} seconds from {now}",
        )


def require_within_cap(signed_units: int, amount_units: int, cap_units: int) -> None:
    """Raise Later if this amount would pass the cap of a day."""
    if signed_units + amount_units > cap_units:
        raise Later(
            "cosign_daily_cap",
            f"{signed_units} units were co-signed today; {amount_units} more pass the cap of "
            f"{cap_units}",
        )
