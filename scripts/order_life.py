"""Write docs/order-life.md from the table in coordinator/domain/orders.py.

python scripts/order_life.py
"""

from pathlib import Path

from coordinator.domain.orders import TRANSITIONS, mermaid

PAGE = Path(__file__).resolve().parent.parent / "docs" / "order-life.md"

INTRODUCTION = """# An order's life

Written by `python scripts/order_life.py` from the table in `coordinator/domain/orders.py`.
A pair of status and event that is not here is refused, and so is any other actor.
"""


def page() -> str:
    """The whole page: diagram, then table."""
    return f"{INTRODUCTION}\n```mermaid\n{mermaid()}```\n\n{table()}"


def table() -> str:
    lines = [
        "| Status | Event | Becomes | Caused by | Before | On chain |",
        "|---|---|---|---|---|---|",
    ]
    for (status, event), transition in TRANSITIONS.items():
        cells = (
            status,
            event,
            transition.to,
            ", ".join(sorted(transition.actors)),
            transition.deadline or "",
            transition.on_chain or "",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
