"""A wrong setting is named in one line that does not repeat it."""

import json

import pytest
from otc_sdk.errors import OtcError

from coordinator.bootstrap.process import secrets_of
from coordinator.cli.running import checked
from tests.unit.test_settings import NEEDED

SECRET = "a-secret"
LISTS = ("OTC_MORE_RPC_URLS", "OTC_SENDER_KEYSTORES", "OTC_PAYMENT_METHODS")
NO_LISTS = (f"https://{SECRET}", f"/{SECRET},/b", f'["{SECRET}"', f'{{"{SECRET}": 1}}', "[1]", "")
ADDRESSES = ("OTC_ESCROW", "OTC_TOKEN", "OTC_ARBITRATOR", "OTC_COORDINATOR", "OTC_FEE_RECIPIENT")
NO_ADDRESSES = ("", "0x1", f"{SECRET:z<42}", "0x" + "aBc1" * 10)
NO_NODES = (f"http://[{SECRET}", SECRET, f"ws://{SECRET}", f"http://{SECRET}:99999", "")
DATABASES = ("DATABASE_URL", "OTC_COSIGNER_DATABASE_URL")
NO_DATABASES = (
    SECRET,
    f"postgres://otc:{SECRET}@127.0.0.1/otc",
    f"mysql://otc:{SECRET}@127.0.0.1/otc",
    f"sqlite:///{SECRET}",
    f"postgresql+asyncpg://otc:{SECRET}@127.0.0.1/otc",
    f"postgresql://otc:1@2@127.0.0.1:{SECRET}/otc",
    f"postgresql://127.0.0.1/otc?ssl={SECRET}",
)


def refuse(name: str, value: str, form: str) -> None:
    with pytest.raises(OtcError) as refused:
        checked({**NEEDED, name: value})
    said = str(refused.value)
    assert f"{name} must be {form}" in said
    assert SECRET not in said
    assert "\n" not in said


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("value", NO_LISTS)
def test_a_list_that_is_none(name: str, value: str) -> None:
    """Found: it ended `otc status` and every worker with a traceback, and a wrong exit code."""
    refuse(name, value, "a JSON list of texts")


def test_a_list_is_taken() -> None:
    paths, urls = ["/a", "/b"], ["http://a", "https://b/key?c=d"]
    given = {"OTC_SENDER_KEYSTORES": paths, "OTC_PAYMENT_METHODS": paths, "OTC_MORE_RPC_URLS": urls}
    settings = checked(NEEDED | {name: json.dumps(texts) for name, texts in given.items()})
    assert (settings.more_rpc_urls, settings.payment_methods) == (urls, paths)
    assert [str(path) for path in settings.sender_keystores] == paths


@pytest.mark.parametrize("name", ADDRESSES)
@pytest.mark.parametrize("value", NO_ADDRESSES)
def test_an_address_that_is_none(name: str, value: str) -> None:
    """Found: a worker ended with a traceback where it was first used."""
    refuse(name, value, "an address")


@pytest.mark.parametrize("value", NO_NODES)
def test_a_node_that_is_none(value: str) -> None:
    """Found: a bracket was a traceback, and what is no URL a node that is down for ever."""
    refuse("OTC_RPC_URL", value, "http://HOST or https://HOST")
    refuse("OTC_MORE_RPC_URLS", json.dumps(["http://127.0.0.1", value]), "http://HOST")


@pytest.mark.parametrize("name", DATABASES)
@pytest.mark.parametrize("value", NO_DATABASES)
def test_a_database_that_is_none(name: str, value: str) -> None:
    """Found: SQLAlchemy's errors, or its drivers', passed every boundary with a traceback."""
    refuse(name, value, "postgresql://")


@pytest.mark.parametrize("name", DATABASES)
@pytest.mark.parametrize("password", [SECRET, f"{SECRET}/1", f"[{SECRET}"])
def test_a_databases_password_is_kept_from_the_log(name: str, password: str) -> None:
    """Found: the co-signer's was not, nor one with `/`; one with `[` was a traceback."""
    settings = checked({**NEEDED, name: f"postgresql://otc:{password}@127.0.0.1/otc"})
    assert password in secrets_of(settings)


@pytest.mark.parametrize("scheme", ["postgresql", "postgresql+psycopg"])
def test_a_database_is_taken(scheme: str) -> None:
    url = f"{scheme}://otc:{SECRET}@/otc?host=/run/postgresql&sslmode=require"
    assert checked({**NEEDED, **dict.fromkeys(DATABASES, url)}).cosigner_books_url == url
