"""What the deployed escrow can be told to do: its verbs, so nobody pauses, owns or upgrades it."""

from otc_sdk.artifacts import load

VERBS = {
    "settle", "settleBatch", "requestRefund", "dispute", "claim", "sweep", "fundWithPermit2",
    "publish",
}  # fmt: skip
# They answer in a vault, to the escrow alone.
OF_VAULTS = {"deliver", "send"}


def test_only_the_verbs_change_anything() -> None:
    functions = [entry for entry in load("Escrow")["abi"] if entry["type"] == "function"]
    changing = [f["name"] for f in functions if f["stateMutability"] not in ("view", "pure")]
    assert sorted(changing) == sorted(VERBS | OF_VAULTS)


def test_the_escrow_takes_no_coins_and_no_unknown_calls() -> None:
    entries = load("Escrow")["abi"]
    assert not [e for e in entries if e["type"] in ("receive", "fallback")]
    assert not [e for e in entries if e.get("stateMutability") == "payable"]


def test_whoever_deploys_it_sets_nothing() -> None:
    (constructor,) = [e for e in load("Escrow")["abi"] if e["type"] == "constructor"]
    assert constructor["inputs"] == []
