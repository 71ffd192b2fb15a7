"""What the environment says is checked before anything starts."""

import pytest
from pydantic import ValidationError

from coordinator.bootstrap.process import secrets_of
from coordinator.settings import Settings, settings_from

NEEDED = {
    "DATABASE_URL": "postgresql://nowhere/otc",
    "OTC_CHAIN_ID": "1",
    "OTC_ESCROW": "0x" + "1" * 40,
    "OTC_TOKEN": "0x" + "2" * 40,
    "OTC_ARBITRATOR": "0x" + "3" * 40,
    "OTC_COORDINATOR": "0x" + "4" * 40,
    "OTC_FEE_RECIPIENT": "0x" + "5" * 40,
}


def with_websocket(url: str) -> Settings:
    return settings_from({**NEEDED, "OTC_WS_URL": url})


def test_no_websocket_is_needed() -> None:
    assert settings_from(NEEDED).ws_url == with_websocket("").ws_url == ""


@pytest.mark.parametrize(
    "url", ["ws://127.0.0.1:8545", "wss://node.example/v3/key?a=b", "wss://user:pw@[::1]:1/"]
)
def test_a_websocket_is_taken(url: str) -> None:
    assert with_websocket(url).ws_url == url


@pytest.mark.parametrize(
    "url",
    [
        "https://node.example",
        "node.example:8546",
        "ws://",
        "ws://:8546",
        "wss://node.example:70000",
        "wss://[::1",
        "wss://user@node.example",
        "wss://node.example/#part",
    ],
)
def test_what_is_no_websocket_is_refused(url: str) -> None:
    with pytest.raises(ValidationError, match="OTC_WS_URL must be ws://HOST or wss://HOST"):
        with_websocket(url)


def test_its_password_is_kept_from_the_log() -> None:
    assert "a-password" in secrets_of(with_websocket("wss://user:a-password@node.example"))


def test_what_is_wrong_is_not_quoted() -> None:
    with pytest.raises(ValidationError) as refused:
        settings_from({**NEEDED, "OTC_POLL_SECONDS": "a-secret"})
    assert "poll_seconds" in str(refused.value)
    assert "a-secret" not in str(refused.value)
