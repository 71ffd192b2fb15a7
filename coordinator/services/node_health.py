"""Keeping how a chain's nodes are where every process and the operator can read it."""

from collections.abc import Sequence

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session, col, delete, select

from coordinator.db.node_health import MAX_NAME_CHARS, MAX_REASON_CHARS, NodeHealth
from coordinator.domain.nodes import NodeReport


def report(session: Session, chain_id: int, nodes: Sequence[NodeReport], now: int) -> None:
    """Keep the state of all nodes that a chain is read through; others are forgotten.

    No epoch is checked: it decides nothing, and the next report replaces it.
    """
    rows = [row_of(chain_id, node, now) for node in nodes]
    names = [row["name"] for row in rows]
    gone = col(NodeHealth.chain_id) == chain_id, col(NodeHealth.name).not_in(names)
    session.exec(delete(NodeHealth).where(*gone))
    for row in sorted(rows, key=lambda row: str(row["name"])):  # one order for all writers' locks
        upsert = insert(NodeHealth).values(**row)
        session.connection().execute(
            upsert.on_conflict_do_update(index_elements=["chain_id", "name"], set_=row)
        )


def row_of(chain_id: int, node: NodeReport, now: int) -> dict[str, object]:
    return {
        **vars(node),
        "name": node.name[:MAX_NAME_CHARS],
        "reason": node.reason[:MAX_REASON_CHARS],
        "chain_id": chain_id,
        "checked_at": now,
    }


def read(session: Session, chain_id: int) -> list[NodeHealth]:
    """The chain's nodes by name."""
    query = select(NodeHealth).where(NodeHealth.chain_id == chain_id)
    return list(session.exec(query.order_by(col(NodeHealth.name))).all())
