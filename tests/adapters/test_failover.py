"""One client over several nodes: the next one answers for one that does not."""

import pytest
from requests.exceptions import RequestException
from web3.exceptions import Web3RPCError

from coordinator.adapters.chain.node import open_web3
from tests.chain import Anvil

NOBODY = "http://127.0.0.1:9"


def url_of(anvil: Anvil) -> str:
    return str(anvil.w3.provider.endpoint_uri)  # type: ignore[attr-defined]


def test_the_second_node_answers_and_is_asked_first_from_then_on(anvil: Anvil) -> None:
    w3 = open_web3(NOBODY, url_of(anvil))
    assert w3.eth.chain_id == anvil.w3.eth.chain_id
    assert w3.provider.providers[0].endpoint_uri == url_of(anvil)  # type: ignore[attr-defined]


def test_nobody_answers() -> None:
    with pytest.raises(RequestException):
        _ = open_web3(NOBODY, NOBODY).eth.chain_id


def test_what_one_node_refuses_is_not_asked_of_another(anvil: Anvil) -> None:
    w3 = open_web3(url_of(anvil), NOBODY)
    with pytest.raises(Web3RPCError):
        w3.eth.send_raw_transaction(b"\x01")
