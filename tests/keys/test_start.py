"""The two keys at start: each process refuses the other's."""

import json
from pathlib import Path

import pytest
from otc_sdk.errors import OtcError

from coordinator.bootstrap.cosigner import build_key
from coordinator.bootstrap.sender import load_senders
from coordinator.settings import Settings
from tests.chain import account_of


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Of a coordinator whose keystores are named for their accounts."""
    for name in ("coordinator", "arbitrator", "sender"):
        content = account_of(name).encrypt("p", iterations=2)
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    monkeypatch.setenv("OTC_KEYSTORE_PASSWORD", "p")
    monkeypatch.chdir(tmp_path)
    values = {
        "DATABASE_URL": "postgresql://nowhere/otc",
        "OTC_CHAIN_ID": "1",
        "OTC_ESCROW": account_of("escrow").address,
        "OTC_TOKEN": account_of("token").address,
        "OTC_ARBITRATOR": account_of("arbitrator").address.lower(),
        "OTC_COORDINATOR": account_of("coordinator").address.lower(),
        "OTC_FEE_RECIPIENT": account_of("treasury").address,
        "OTC_COSIGNER_KEY": "keystore:coordinator.json",
        "OTC_SENDER_KEYSTORE": "sender.json",
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    return Settings()


@pytest.mark.parametrize("role", ["coordinator", "arbitrator"])
def test_the_sender_refuses_a_roles_key(settings: Settings, role: str) -> None:
    settings.sender_keystore = Path(f"{role}.json")
    with pytest.raises(OtcError, match=f"is the {role}; the key that pays the gas is another"):
        load_senders(settings)
    settings.sender_keystores = [Path("sender.json"), Path(f"{role}.json")]
    with pytest.raises(OtcError, match=f"is the {role}; the key that pays the gas is another"):
        load_senders(settings)


def test_the_sender_refuses_one_key_twice(settings: Settings) -> None:
    settings.sender_keystores = [Path("sender.json"), Path("sender.json")]
    with pytest.raises(OtcError, match=r"OTC_SENDER_KEYSTORES names 0x\w{40} twice"):
        load_senders(settings)


def test_the_cosigner_refuses_any_key_but_the_coordinators(settings: Settings) -> None:
    settings.cosigner_key = "keystore:sender.json"
    with pytest.raises(OtcError, match=r"OTC_COSIGNER_KEY is the key of 0x\w{40}, OTC_COORDINATOR"):
        build_key(settings)


def test_each_takes_its_own(settings: Settings) -> None:
    assert build_key(settings).address == account_of("coordinator").address
    [sender] = load_senders(settings)
    assert sender.address == account_of("sender").address
