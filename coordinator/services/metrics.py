"""What one process counts of its own work; docs/operations/monitoring.md explains each."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import Counter, Histogram, disable_created_metrics

# When a counter began is of no use to anybody here.
disable_created_metrics()  # type: ignore[no-untyped-call]
# From a call on this machine to one that times out.
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

STEPS = Counter("otc_worker_steps", "Steps of a worker's loop.", ["worker"])
OUTAGES = Counter(
    "otc_worker_outages", "Steps that database, node or key did not let end.", ["worker"]
)
STEP_SECONDS = Histogram(
    "otc_worker_step_seconds", "How long steps took.", ["worker"], buckets=SECONDS
)
RPC_ERRORS = Counter("otc_rpc_errors", "Failed requests to a node.", ["node", "method"])
RPC_SECONDS = Histogram(
    "otc_rpc_request_seconds", "How long nodes took to answer.", ["node", "method"], buckets=SECONDS
)
BROADCASTS = Counter("otc_transactions_broadcast", "Transactions given to a node, again included.")
MINED = Counter("otc_transactions_mined", "Transactions that a block has.", ["succeeded"])
GAS = Counter("otc_transactions_gas", "Gas of mined transactions.")
GAS_SAVED = Counter(
    "otc_batch_gas_saved", "Gas that final batches needed less than their settlements alone."
)
COSIGNATURES = Counter("otc_cosignatures", "Signatures of the co-signer.")
COSIGN_REFUSALS = Counter("otc_cosign_refusals", "Requests not signed, by the rule.", ["code"])


@contextmanager
def rpc(node: str, method: str) -> Iterator[None]:
    """Count and time one request to a node."""
    begun = time.perf_counter()
    try:
        yield
    except Exception:
        RPC_ERRORS.labels(node, method).inc()
        raise
    finally:
        RPC_SECONDS.labels(node, method).observe(time.perf_counter() - begun)
