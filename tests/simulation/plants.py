"""Bugs planted on purpose: each must be seen by its invariant, or the invariant proves nothing."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from random import Random

from tests.simulation.bugs import chain, reading, sending, signing
from tests.simulation.faults import Fault
from tests.simulation.invariants import Invariant
from tests.simulation.world import Weather

ROUGH = replace(
    Weather.of(Random(0)), nodes=1, liar=None, kinds=(), finality=4, fault_rate=0.0,
    interruption_rate=0.0, max_skew_seconds=0, range_threshold_blocks=100,
)  # fmt: skip


@dataclass(frozen=True)
class Plant:
    """A bug, the invariant that must see it, the first seed that did, and the weather of it."""

    bug: Callable[[], AbstractContextManager[object]]
    invariant: Invariant
    seed: int = 0
    weather: Weather = ROUGH


LYING = replace(ROUGH, nodes=2, liar=1)
LAGGING = replace(ROUGH, finality=2, kinds=(Fault.STALE,), fault_rate=0.5)
PLANTS = {
    "tokens-minted": Plant(chain.tokens_minted, Invariant.CONSERVED),
    "overdraft": Plant(chain.overdraft, Invariant.NOT_BELOW_ZERO, 16),
    "settled-again": Plant(chain.settled_again, Invariant.EFFECT_ONCE, 1),
    "newest-is-final": Plant(reading.newest_is_final, Invariant.FINAL_IS_FINAL),
    "final-logs-unread": Plant(reading.final_logs_unread, Invariant.BOOKS_FINAL),
    "orphans-forgotten": Plant(reading.orphans_forgotten, Invariant.BOOKS_SEEN, 1),
    "first-node-believed": Plant(reading.first_node_believed, Invariant.BOOKS_FINAL, 10, LYING),
    "lagging-node-halts": Plant(reading.lagging_node_halts, Invariant.NO_HALT, 6, LAGGING),
    "head-avoided": Plant(reading.head_avoided, Invariant.AT_HEAD),
    "final-head-avoided": Plant(reading.final_head_avoided, Invariant.AT_FINAL),
    "paid-on-seen": Plant(reading.paid_on_seen, Invariant.TOLD_TO_PAY, 1),
    "watchtower-asleep": Plant(reading.watchtower_asleep, Invariant.DEFENDED, 25),
    "ends-forgotten": Plant(reading.ends_forgotten, Invariant.SETTLED_ENDED),
    "defaults-forgotten": Plant(reading.defaults_forgotten, Invariant.EVERY_ORDER_ENDS),
    "logs-rewritten": Plant(reading.logs_rewritten, Invariant.LOG_WHOLE),
    "hashes-mixed-up": Plant(reading.hashes_mixed_up, Invariant.REPLAYED),
    "restless": Plant(reading.restless, Invariant.AT_REST),
    "seen-in-ledger": Plant(signing.seen_in_ledger, Invariant.LEDGER, 1),
    "posted-twice": Plant(signing.posted_twice, Invariant.LEDGER),
    "one-leg": Plant(signing.one_leg, Invariant.SUM_ZERO),
    "signed-otherwise": Plant(signing.signed_otherwise, Invariant.COSIGNER_KEY),
    "splits-cosigned": Plant(signing.splits_cosigned, Invariant.COSIGNED_NO_SPLIT, 47),
    "cosigned-without-consent": Plant(
        signing.cosigned_without_consent, Invariant.COSIGNED_WITH_CONSENT, 8
    ),
    "cosigned-at-head": Plant(signing.cosigned_at_head, Invariant.COSIGNED_FULL, 5),
    "sent-before-kept": Plant(sending.sent_before_kept, Invariant.KEPT_BEFORE_SENT),
    "nonce-used-again": Plant(sending.nonce_used_again, Invariant.NONCE_ONE_CALL),
    "receipts-ignored": Plant(sending.receipts_ignored, Invariant.INTENT_NOT_STUCK),
    "refusals-believed": Plant(sending.refusals_believed, Invariant.AT_REST, 8),
}
