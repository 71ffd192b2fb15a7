"""What the keeper shows the co-signer."""

from otc_sdk.errors import OtcError

from coordinator.settings import Settings

MIN_TOKEN_CHARS = 32


def require_cosigner_token(settings: Settings) -> str:
    """What the keeper shows the co-signer. Raises OtcError if none is set, or a short one."""
    token = settings.cosigner_token.get_secret_value()
    if len(token) < MIN_TOKEN_CHARS:
        raise OtcError(
            "OTC_COSIGNER_TOKEN is not set or too short: keeper and co-signer must share one of "
            f"{MIN_TOKEN_CHARS} characters or more"
        )
    return token
