"""No secret is in a log line, whatever brings it there."""

import pytest

from coordinator.adapters.logs import MAX_LINE_CHARS, scrub

KEY = "0x" + "4f" * 32


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("no node at https://u:pw@node.example:8545/v3/abc?key=def: down", "node.example:8545"),
        ("no node at wss://u:pw@node.example/v3/abc?key=def: down", "node.example"),
        ("GET https://rpc.example/abcdef then", " then"),
        ('{"url": "https://rpc.example/abcdef"}', '"}'),
        ("postgresql+psycopg://otc:pw@db.example/otc?host=x", "@db.example"),
    ],
)
def test_urls_keep_only_their_host(text: str, kept: str) -> None:
    shown = scrub(text)
    assert kept in shown
    for secret in ("pw", "abc", "def"):
        assert secret not in shown


def test_known_secrets_are_hidden_wherever_they_stand() -> None:
    assert scrub(f"signing with {KEY}!", {KEY, "other"}) == "signing with ***!"


def test_short_ones_would_blot_out_words() -> None:
    assert scrub("no entry", {"no"}) == "no entry"


def test_an_order_is_still_named() -> None:
    line = f'{{"order_id": "{KEY}", "tx_hash": "{KEY}"}}'
    assert scrub(line, {"another-secret"}) == line


def test_a_line_has_an_end() -> None:
    assert len(scrub("x" * 10 * MAX_LINE_CHARS)) == MAX_LINE_CHARS
