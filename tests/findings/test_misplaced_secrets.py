"""A key or password where a file's name belongs is repeated nowhere."""

from pathlib import Path

import pytest
from otc_sdk import keystore
from otc_sdk.errors import KeystoreError
from typer.testing import CliRunner

from coordinator.cli import app
from tests.cli.command import refused

KEY = "0x" + "ab" * 32
PHRASE = "legal winner thank year wave sausage worth useful legal winner thank yellow"
SECRETS = (KEY, KEY[2:], KEY + "0", KEY[:-1], PHRASE)
PASSWORD = "my secret password"


@pytest.mark.parametrize("secret", SECRETS)
def test_a_key_in_place_of_a_keystore(secret: str) -> None:
    """Found: "no keystore at 0x…" went to the terminal and into logs."""
    with pytest.raises(KeystoreError, match="OTC_KEYSTORE is no file") as raised:
        keystore.load_account(environ={"OTC_KEYSTORE": secret})
    assert secret not in str(raised.value)
    runner = CliRunner(env={"COLUMNS": "300"})
    for words in (["address", "--keystore", secret], ["create", secret]):
        result = runner.invoke(app, ["keys", *words], env={"OTC_KEYSTORE_PASSWORD": PASSWORD})
        refused(result, "looks like a key")
        assert secret not in result.output
    assert not Path(secret).exists()


@pytest.mark.parametrize(
    "words",
    [
        ["keys", "address", KEY],
        ["keys", KEY],
        [KEY],
        ["--" + KEY],
        ["sign", "release", "--counter", KEY],
        ["keys", "address", f"--private-key={KEY}"],
    ],
)
def test_a_key_among_the_arguments(words: list[str]) -> None:
    """Found: "Got unexpected extra argument (0x…)"."""
    result = CliRunner().invoke(app, words, env={"COLUMNS": "300"})
    assert result.exit_code == 2
    assert KEY[2:] not in result.output


@pytest.mark.parametrize("password", [PASSWORD, "a\0b"])
def test_a_password_in_place_of_its_file(password: str) -> None:
    """Found: "cannot read the password file my secret password"."""
    with pytest.raises(KeystoreError, match="OTC_KEYSTORE_PASSWORD_FILE names") as raised:
        keystore.given_password({"OTC_KEYSTORE_PASSWORD_FILE": password})
    assert password not in str(raised.value)
