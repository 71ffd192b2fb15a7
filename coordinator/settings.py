"""Every environment variable, typed. Only bootstrap, the command line and the stack read it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from eth_utils.address import is_address, is_checksum_address
from pydantic import Field, SecretStr, TypeAdapter, ValidationInfo, field_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from coordinator.db.session import postgresql_url

TEXTS = TypeAdapter(list[str])
URL_RULES = "a user name with its password, without a #fragment"


class Settings(BaseSettings):
    """Variables begin with OTC_, but for DATABASE_URL. Times in seconds, shares in basis points."""

    # What is wrong may be a URL with its password: errors name the variable alone.
    model_config = SettingsConfigDict(env_prefix="OTC_", extra="ignore", hide_input_in_errors=True)

    database_url: str = Field(validation_alias="DATABASE_URL")

    rpc_url: str = "http://127.0.0.1:8545"
    # More nodes of the same chain, of other operators: what cannot be undone needs all of them.
    more_rpc_urls: Annotated[list[str], NoDecode] = Field(default=[], max_length=7)
    # A node's WebSocket, whose new blocks wake the watcher; empty for none.
    ws_url: str = ""
    chain_id: int
    escrow: str
    token: str
    start_block: int = 0
    # "finalized" for the chain's own tag, or a number of blocks below the head.
    finality: str = Field(default="finalized", pattern="^(finalized|[0-9]{1,5})$")

    arbitrator: str
    coordinator: str
    fee_recipient: str
    fee_bps: int = Field(default=50, ge=0, le=500)
    fund_by_seconds: int = Field(default=900, ge=10, le=86_400)
    refund_window_seconds: int = Field(default=3600, ge=600, le=30 * 86_400)
    ruling_window_seconds: int = Field(default=3 * 86_400, ge=3600, le=60 * 86_400)
    final_window_seconds: int = Field(default=7 * 86_400, ge=3600, le=60 * 86_400)
    default_buyer_bps: int = Field(default=5000, ge=0, le=10_000)
    payment_methods: Annotated[list[str], NoDecode] = [
        "bank_transfer", "sepa", "pix", "upi", "cash",
    ]  # fmt: skip

    api_host: str = "127.0.0.1"
    api_port: int = Field(default=8000, ge=1, le=65_535)
    # The domain that sign-in messages must name (EIP-4361).
    public_domain: str = "localhost"

    cosigner_host: str = "127.0.0.1"
    cosigner_port: int = Field(default=8100, ge=1, le=65_535)
    cosigner_token: SecretStr = SecretStr("")
    # The most that the co-signer releases, in the token's smallest unit and in orders. A trader's
    # day counts what each of the two bought and sold, the others what all did.
    cosigner_order_units: int = Field(default=1_000_000 * 10**6, ge=0)
    cosigner_hour_units: int = Field(default=2_000_000 * 10**6, ge=0)
    cosigner_hour_orders: int = Field(default=1000, ge=0)
    cosigner_day_units: int = Field(default=10_000_000 * 10**6, ge=0)
    cosigner_day_orders: int = Field(default=10_000, ge=0)
    cosigner_trader_day_units: int = Field(default=2_000_000 * 10**6, ge=0)
    cosigner_trader_day_orders: int = Field(default=500, ge=0)

    # The most requests that the co-signer takes in a minute: what one keeper can ask.
    cosigner_requests_per_minute: int = Field(default=6000, ge=1)
    # The co-signer's own database; None shares the coordinator's.
    cosigner_database_url: str | None = None
    # While this file is there, the co-signer of this machine signs nothing.
    cosigner_stop_file: Path | None = None
    # Where the co-signing key lies: keystore:/path, or what else coordinator.adapters.keys has.
    cosigner_key: str = ""

    # A keystore's password comes as otc_sdk.keystore describes.
    sender_keystore: Path | None = None
    # Several keys that send in parallel; they come before the single one.
    sender_keystores: Annotated[list[Path], NoDecode] = Field(default=[], max_length=16)
    # The most that one transaction may cost, in wei.
    max_fee_wei: int = Field(default=10**17, ge=0)
    # The most that all settlements may cost in 24 hours, in wei.
    max_day_fee_wei: int = Field(default=10**18, ge=0)

    # The most gas that one settlement or dispute may need, with its margin.
    max_gas: int = Field(default=1_000_000, ge=600_000, le=30_000_000)

    # /ready fails once the newest block read is older than this.
    max_lag_seconds: int = Field(default=120, ge=1, le=86_400)
    # Of every rate limit of the API; 0 turns them off.
    rate_limit_percent: int = Field(default=100, ge=0, le=1_000_000)
    # If set, GET /metrics wants it as a bearer token.
    metrics_token: SecretStr = SecretStr("")
    # The processes' own metrics on loopback: this port and the four after it; 0 for none.
    metrics_port: int = Field(default=0, ge=0, le=65_531)
    log_format: Literal["json", "console"] = "json"
    poll_seconds: float = Field(default=0.5, gt=0, le=60)

    @field_validator("database_url", "cosigner_database_url")
    @classmethod
    def require_postgresql(cls, url: str | None, info: ValidationInfo) -> str | None:
        if url is not None:
            try:
                postgresql_url(url)
            except ValueError as error:
                raise ValueError(f"{variable(info)} {error}") from None
        return url

    @field_validator("more_rpc_urls", "payment_methods", "sender_keystores", mode="before")
    @classmethod
    def read_list(cls, given: Any, info: ValidationInfo) -> Any:
        """Where pydantic-settings decoded it, its error would be no ValidationError."""
        if not isinstance(given, str):
            return given
        try:
            return TEXTS.validate_json(given)
        except ValueError:
            form = 'must be a JSON list of texts, such as ["one", "two"]'
            raise ValueError(f"{variable(info)} {form}") from None

    @field_validator("escrow", "token", "arbitrator", "coordinator", "fee_recipient")
    @classmethod
    def require_address(cls, address: str, info: ValidationInfo) -> str:
        of_one_case = address[2:] in (address[2:].lower(), address[2:].upper())
        if not is_address(address) or not (of_one_case or is_checksum_address(address)):
            raise ValueError(
                f"{variable(info)} must be an address: 0x and 40 hexadecimal digits; if they are "
                "of both cases, with the right checksum (EIP-55)"
            )
        return address

    @field_validator("rpc_url", "more_rpc_urls")
    @classmethod
    def require_http(cls, given: Any, info: ValidationInfo) -> Any:
        urls = [given] if isinstance(given, str) else given
        if not all(is_url(url, "http", "https") for url in urls):
            raise ValueError(f"{variable(info)} must be http://HOST or https://HOST, {URL_RULES}")
        return given

    @field_validator("ws_url")
    @classmethod
    def require_websocket(cls, url: str, info: ValidationInfo) -> str:
        if url and not is_url(url, "ws", "wss"):
            raise ValueError(f"{variable(info)} must be ws://HOST or wss://HOST, {URL_RULES}")
        return url

    @property
    def rpc_urls(self) -> list[str]:
        return [self.rpc_url, *self.more_rpc_urls]

    @property
    def cosigner_books_url(self) -> str:
        return self.cosigner_database_url or self.database_url

    @property
    def cosigner_url(self) -> str:
        return f"http://{self.cosigner_host}:{self.cosigner_port}"


def variable(info: ValidationInfo) -> str:
    """The environment's name of the field that is validated."""
    name = f"{info.field_name}".upper()
    return name if name == "DATABASE_URL" else f"OTC_{name}"


def is_url(url: str, *schemes: str) -> bool:
    """Whether a client of one of these schemes takes it."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    whole = (parts.username is None) == (parts.password is None) and not parts.fragment
    return parts.scheme in schemes and bool(host) and whole


def settings_from(environ: Mapping[str, str]) -> Settings:
    """Settings from these variables alone. Raises ValidationError."""

    class Given(Settings):
        @classmethod
        def settings_customise_sources(
            cls, settings_cls: type[BaseSettings], *_: Any, **__: Any
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            source = EnvSettingsSource(settings_cls)
            source.env_vars = {name.lower(): value for name, value in environ.items()}
            return (source,)

    return Given()
