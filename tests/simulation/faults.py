"""What goes wrong between a program and its node, from one seeded source, and how often it did.

The same line stands inside a process (provider.py) or as a proxy before a real node (proxy.py).
"""

from collections import Counter
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random
from typing import Any

from coordinator.adapters.chain import node

Json = dict[str, Any]
Ask = Callable[[str, list[Any]], Json]


class Fault(StrEnum):
    """Of the line, of an honest node, or lies: at most one node of a world lies at a time."""

    DROPPED = "the request is lost"
    UNANSWERED = "it is done, but the answer is lost"
    LATE = "it is done only when the next one comes"
    TWICE = "it is done twice"
    SWAPPED = "the answer is that of another request"
    CUT = "the answer ends in the middle"
    TOO_MANY = "429"
    BAD_GATEWAY = "502 and a page of HTML"
    EMPTY_LOGS = "no logs where there are some"
    STALE = "the newest blocks are not there"
    LOGS_OMITTED = "a log is left out"
    LOGS_INVENTED = "a log that never was"
    LOGS_CHANGED = "a log with other contents"
    LOGS_MOVED = "a log put into another block"
    FUTURE = "a block of tomorrow"
    HEAD_INVENTED = "a head that never was"
    RECEIPT_DENIED = "no receipt where there is one"
    RECEIPT_INVENTED = "a receipt that never was"
    BALANCE_INFLATED = "a balance that is not there"
    STATE_INVENTED = "a dispute or a refund request that never was"
    CODE_INVENTED = "code where there is none, or none where there is some"
    NONCE_WRONG = "more or fewer transactions than an account sent"
    ESTIMATE_WRONG = "far more or less gas than a call needs"
    FEES_WRONG = "fees that nobody asks for, or that nobody takes"
    COINS_DENIED = "no coins where there are some"


LINE = (
    Fault.DROPPED, Fault.UNANSWERED, Fault.LATE, Fault.TWICE, Fault.SWAPPED, Fault.CUT,
    Fault.TOO_MANY, Fault.BAD_GATEWAY,
)  # fmt: skip
NODE = (Fault.EMPTY_LOGS, Fault.STALE)
LIES = (
    Fault.LOGS_OMITTED, Fault.LOGS_INVENTED, Fault.LOGS_CHANGED, Fault.LOGS_MOVED, Fault.FUTURE,
    Fault.HEAD_INVENTED, Fault.RECEIPT_DENIED, Fault.RECEIPT_INVENTED, Fault.BALANCE_INFLATED,
    Fault.STATE_INVENTED, Fault.CODE_INVENTED, Fault.NONCE_WRONG, Fault.ESTIMATE_WRONG,
    Fault.FEES_WRONG, Fault.COINS_DENIED,
)  # fmt: skip
# About what is asked for seldom, and mostly while all else is calm; they keep nobody from working.
SELDOM = (
    Fault.RECEIPT_DENIED, Fault.RECEIPT_INVENTED, Fault.STATE_INVENTED, Fault.ESTIMATE_WRONG,
)  # fmt: skip
# After one of these, what is seen (not what is final) may differ from the chain.
CONTENT = (Fault.EMPTY_LOGS, *LIES)
MAX_LAG_BLOCKS = 4
LYING_RATE = 0.3
LIE_UNITS = 10**12
LIE_SECONDS = 86_400
LIE_WEI = 10**18
MAX_LIE_BLOCKS = 1000
BALANCE_OF, STATE_OF = "0x" + node.BALANCE_OF.hex(), "0x" + node.STATE_OF.hex()


@dataclass(frozen=True)
class Reply:
    """What comes over the line. No status: nothing does. `cut`: only the first half of the body."""

    status: int | None
    body: Json | None = None
    cut: bool = False


@dataclass
class Line:
    """Requests to one node. `kinds` may happen now, each request with the chance `rate`.

    `lies` are told as often as they can be, whatever else the weather is; `calm` is without faults,
    and with few lies.
    """

    ask: Ask
    chance: Random
    kinds: tuple[Fault, ...] = ()
    rate: float = 0.0
    lies: tuple[Fault, ...] = ()
    calm: bool = False
    counts: Counter[Fault] = field(default_factory=Counter)
    held: tuple[str, list[Any]] | None = None
    before: Json | None = None
    lag: Callable[[int], None] | None = None
    catch_up: Callable[[], None] | None = None

    def heal(self) -> None:
        self.kinds, self.rate, self.lies = (), 0.0, ()
        if self.catch_up is not None:
            self.catch_up()

    def exchange(self, request: Json) -> Reply:
        """One request and what comes back."""
        fault = self.choose(request["method"])
        answer = self.perform(fault, request["method"], request["params"])
        if answer is None:
            return Reply(None)
        body = {"jsonrpc": "2.0", "id": request["id"], **answer}
        previous, self.before = self.before, body
        # Of another connection, an answer may have the same id: no proxy mixes those up.
        if fault is Fault.SWAPPED and previous is not None and previous["id"] != body["id"]:
            return self.happened(fault, Reply(200, previous))
        if fault is Fault.UNANSWERED:
            return self.happened(fault, Reply(None))
        if fault is Fault.CUT:
            return self.happened(fault, Reply(200, body, cut=True))
        if fault is Fault.TOO_MANY:
            return self.happened(fault, Reply(429, body))
        if fault is Fault.BAD_GATEWAY:
            return self.happened(fault, Reply(502))
        return Reply(200, body)

    def choose(self, method: str) -> Fault | None:
        told = [lie for lie in self.lies if lie in SELDOM] if self.calm else self.lies
        lies = [lie for lie in told if (lie, method) in CHANGES]
        if lies and self.chance.random() < LYING_RATE:
            return self.chance.choice(lies)
        if self.calm:
            return None
        if not self.kinds or self.chance.random() >= self.rate:
            return None
        of_content = [kind for kind in self.kinds if (kind, method) in CHANGES]
        of_line = [kind for kind in self.kinds if kind not in CONTENT]
        kinds = of_content if of_content and self.chance.random() < 0.5 else of_line
        return self.chance.choice(kinds) if kinds else None

    def happened(self, fault: Fault, reply: Reply) -> Reply:
        self.counts[fault] += 1
        return reply

    def perform(self, fault: Fault | None, method: str, params: list[Any]) -> Json | None:
        """Let the node do it, as far as the fault lets it; None if there is no answer."""
        if self.held is not None:
            late, self.held = self.held, None
            self.ask(*late)
        if fault in (Fault.DROPPED, Fault.LATE):
            self.counts[fault] += 1
            self.held = (method, params) if fault is Fault.LATE else None
            return None
        if fault in (Fault.TOO_MANY, Fault.BAD_GATEWAY):
            return {"error": {"code": -32005, "message": "too many requests"}}
        if fault is Fault.STALE and self.lag is not None and self.catch_up is not None:
            self.counts[fault] += 1
            self.lag(self.chance.randint(1, MAX_LAG_BLOCKS))
        elif fault is None and self.catch_up is not None and self.chance.random() < 0.3:
            self.catch_up()
        answer = self.ask(method, params)
        if fault is Fault.TWICE:
            self.counts[fault] += 1
            answer = self.ask(method, params)
        return self.falsify(fault, method, params, answer)

    def falsify(self, fault: Fault | None, method: str, params: list[Any], answer: Json) -> Json:
        """The answer, changed if the fault is one of content and the method is its own."""
        change = CHANGES.get((fault, method)) if fault is not None else None
        if change is None or "result" not in answer:
            return answer
        changed = {"result": change(deepcopy(answer["result"]), params, self.chance)}
        if changed != answer and fault is not None:
            self.counts[fault] += 1
        return changed


def no_logs(logs: list[Json], params: list[Any], chance: Random) -> list[Json]:
    return []


def fewer_logs(logs: list[Json], params: list[Any], chance: Random) -> list[Json]:
    if logs:
        logs.pop(chance.randrange(len(logs)))
    return logs


def more_logs(logs: list[Json], params: list[Any], chance: Random) -> list[Json]:
    """One more transfer of the same kind, of much more."""
    if logs:
        invented = deepcopy(chance.choice(logs))
        last = max(int(log["logIndex"], 16) for log in logs)
        invented["logIndex"] = hex(last + 1)
        if len(invented["topics"]) == 3:
            invented["data"] = "0x" + LIE_UNITS.to_bytes(32, "big").hex()
        logs.append(invented)
    return logs


def other_contents(logs: list[Json], params: list[Any], chance: Random) -> list[Json]:
    """Of one log: other units, or the recipient of another log."""
    if logs:
        log = chance.choice(logs)
        if chance.random() < 0.5:
            log["data"] = "0x" + chance.choice((1, LIE_UNITS)).to_bytes(32, "big").hex()
        else:
            log["topics"][-1] = chance.choice(logs)["topics"][-1]
    return logs


def other_block(logs: list[Json], params: list[Any], chance: Random) -> list[Json]:
    """One log is said to be of an earlier block, by number, by hash or by both."""
    if logs:
        log = chance.choice(logs)
        what = chance.choice((("blockNumber",), ("blockHash",), ("blockNumber", "blockHash")))
        if "blockNumber" in what:
            log["blockNumber"] = hex(chance.randint(0, int(log["blockNumber"], 16)))
        if "blockHash" in what:
            log["blockHash"] = "0x" + "66" * 32
    return logs


def later(block: Json | None, params: list[Any], chance: Random) -> Json | None:
    if block is not None:
        block["timestamp"] = hex(int(block["timestamp"], 16) + LIE_SECONDS)
    return block


def higher(block: Json | None, params: list[Any], chance: Random) -> Json | None:
    """A newest or final block far ahead of all others."""
    if block is not None and not params[0].startswith("0x"):
        block["number"] = hex(int(block["number"], 16) + chance.randint(1, MAX_LIE_BLOCKS))
        block["hash"] = "0x" + chance.randbytes(32).hex()
    return block


def no_receipt(receipt: Json | None, params: list[Any], chance: Random) -> None:
    return None


def made_up_receipt(receipt: Json | None, params: list[Any], chance: Random) -> Json:
    """A failure in place of a success, or a price that was not signed; or mined and successful, in
    a block that nobody knows.
    """
    if receipt is not None:
        lies = {"status": "0x0", "logs": []}, {"effectiveGasPrice": hex(LIE_WEI)}
        return {**receipt, **chance.choice(lies)}
    return {
        "transactionHash": params[0], "transactionIndex": "0x0", "blockHash": "0x" + "66" * 32,
        "blockNumber": "0x1", "from": "0x" + "00" * 20, "to": "0x" + "00" * 20,
        "gasUsed": "0x5208", "cumulativeGasUsed": "0x5208", "effectiveGasPrice": "0x1",
        "contractAddress": None, "type": "0x2", "logs": [], "logsBloom": "0x" + "00" * 256,
        "status": "0x1",
    }  # fmt: skip


def more_balance(answer: str, params: list[Any], chance: Random) -> str:
    """Only balances: the answers of other calls stay."""
    if not params[0].get("data", "").startswith(BALANCE_OF):
        return answer
    return "0x" + (int(answer, 16) + LIE_UNITS).to_bytes(32, "big").hex()


def other_state(answer: str, params: list[Any], chance: Random) -> str:
    """An order's state has two words: when a refund was asked for, when a dispute was opened."""
    if not params[0].get("data", "").startswith(STATE_OF):
        return answer
    return "0x" + "".join(f"{chance.randint(0, 1):064x}" for _ in range(2))


def other_code(answer: str, params: list[Any], chance: Random) -> str:
    return "0xfe" if answer == "0x" else "0x"


def other_count(answer: str, params: list[Any], chance: Random) -> str:
    return hex(max(0, int(answer, 16) + chance.choice((-1, 1, 2, 3))))


def other_gas(answer: str, params: list[Any], chance: Random) -> str:
    return hex(chance.choice((1, 30_000, 10**7)))


def other_fees(history: Json, params: list[Any], chance: Random) -> Json:
    """Of every block, and of the next."""
    said = hex(chance.choice((1, LIE_WEI)))
    history["baseFeePerGas"] = [said for _ in history["baseFeePerGas"]]
    return history


def no_coins(answer: str, params: list[Any], chance: Random) -> str:
    return "0x0"


CHANGES: dict[tuple[Fault, str], Callable[[Any, list[Any], Random], Any]] = {
    (Fault.EMPTY_LOGS, "eth_getLogs"): no_logs,
    (Fault.LOGS_OMITTED, "eth_getLogs"): fewer_logs,
    (Fault.LOGS_INVENTED, "eth_getLogs"): more_logs,
    (Fault.LOGS_CHANGED, "eth_getLogs"): other_contents,
    (Fault.LOGS_MOVED, "eth_getLogs"): other_block,
    (Fault.FUTURE, "eth_getBlockByNumber"): later,
    (Fault.HEAD_INVENTED, "eth_getBlockByNumber"): higher,
    (Fault.RECEIPT_DENIED, "eth_getTransactionReceipt"): no_receipt,
    (Fault.RECEIPT_INVENTED, "eth_getTransactionReceipt"): made_up_receipt,
    (Fault.BALANCE_INFLATED, "eth_call"): more_balance,
    (Fault.STATE_INVENTED, "eth_call"): other_state,
    (Fault.CODE_INVENTED, "eth_getCode"): other_code,
    (Fault.NONCE_WRONG, "eth_getTransactionCount"): other_count,
    (Fault.ESTIMATE_WRONG, "eth_estimateGas"): other_gas,
    (Fault.FEES_WRONG, "eth_feeHistory"): other_fees,
    (Fault.COINS_DENIED, "eth_getBalance"): no_coins,
}
