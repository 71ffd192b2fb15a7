"""A wallet on a node that lies: it sends nothing of that."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
import rlp
from otc_sdk.chain import MAX_FEE_WEI, EscrowAccount, Wallet, connect, fee_ceiling
from otc_sdk.errors import ChainError
from otc_sdk.terms import EscrowDomain

from tests.chain import Anvil, account_of
from tests.findings.told import terms

SEPOLIA, MAINNET = 11155111, 1
GWEI = 10**9
ESCROW = account_of("escrow").address
HASH = "0x" + "22" * 32


class Liar(ThreadingHTTPServer):
    """On Sepolia when it is asked first, and on mainnet from then on; what it is sent is kept."""

    daemon_threads = True

    def __init__(self) -> None:
        self.asked, self.tip_wei, self.sent = 0, GWEI, list[bytes]()
        super().__init__(("127.0.0.1", 0), Answer)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def answer(self, method: str, parameters: list[Any]) -> Any:
        if method == "eth_chainId":
            self.asked += 1
            return hex(SEPOLIA if self.asked == 1 else MAINNET)
        if method == "eth_sendRawTransaction":
            self.sent.append(bytes.fromhex(parameters[0][2:]))
            return HASH
        return {
            "eth_getBlockByNumber": {"baseFeePerGas": hex(GWEI), "number": "0x1"},
            "eth_getTransactionReceipt": {
                "status": "0x1", "gasUsed": "0x1", "blockNumber": "0x1",
                "contractAddress": None, "transactionHash": HASH,
            },
            "eth_maxPriorityFeePerGas": hex(self.tip_wei),
            "eth_getCode": "0x60",
        }.get(method, hex(100_000))  # fmt: skip


class Answer(BaseHTTPRequestHandler):
    server: Liar

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        result = self.server.answer(asked["method"], asked["params"])
        body = json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": result}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def liar() -> Iterator[Liar]:
    with Liar() as node:
        Thread(target=node.serve_forever, daemon=True).start()
        yield node
        node.shutdown()


def chain_of(transaction: bytes) -> int:
    return int.from_bytes(rlp.decode(transaction[1:])[0], "big")


def test_the_chain_that_was_verified_is_signed_for(liar: Liar) -> None:
    """Found: asked again, the node named mainnet, and that transaction was signed."""
    w3, account = connect(liar.url, SEPOLIA), account_of("seller")
    wallets: list[Wallet] = [
        EscrowAccount(w3, EscrowDomain(SEPOLIA, ESCROW), account),
        Wallet(w3, account),
    ]
    for wallet in wallets:
        wallet.transfer(account_of("token").address, ESCROW, 1)
    assert [chain_of(sent) for sent in liar.sent] == [SEPOLIA] * len(wallets)


def test_a_fee_over_the_ceiling(liar: Liar, monkeypatch: pytest.MonkeyPatch) -> None:
    """Found: any fee that the node named was signed."""
    liar.tip_wei = MAX_FEE_WEI // 130_000
    w3, account = connect(liar.url, SEPOLIA), account_of("seller")
    for wallet in (Wallet(w3, account), Wallet(w3, account, max_fee_wei=GWEI)):
        with pytest.raises(ChainError, match=r"over the ceiling of .* OTC_MAX_FEE_WEI sets it"):
            wallet.send(ESCROW, b"")
    assert not liar.sent
    monkeypatch.setenv("OTC_MAX_FEE_WEI", str(2 * MAX_FEE_WEI))
    Wallet(w3, account).send(ESCROW, b"")
    assert len(liar.sent) == 1


@pytest.mark.parametrize("text", ["much", "-1", "1e17", "0x10"])
def test_a_ceiling_that_is_none(text: str) -> None:
    with pytest.raises(ChainError, match="OTC_MAX_FEE_WEI is not a whole number"):
        fee_ceiling({"OTC_MAX_FEE_WEI": text})


def test_other_decimals_than_the_tokens(anvil: Anvil) -> None:
    """Found: with decimals of the coordinator's invention, 12.5 tokens became 1,250."""
    seller = anvil.funded_account()
    token = anvil.deploy_token(seller, decimals=6)
    domain = EscrowDomain(anvil.w3.eth.chain_id, anvil.funded_account().address)
    account = EscrowAccount(anvil.w3, domain, seller)
    asked = terms(token=token, seller=seller.address)
    sent = anvil.w3.eth.get_transaction_count(seller.address)
    with pytest.raises(ChainError, match="has 6 decimals on chain, not 8"):
        account.fund(asked, 8)
    with pytest.raises(ChainError, match="tells no decimals"):
        account.fund(terms(token=domain.escrow), 6)
    assert anvil.w3.eth.get_transaction_count(seller.address) == sent
    account.fund(asked, 6)
