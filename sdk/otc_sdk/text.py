"""Text of somebody else's, shown to people."""


def plain(text: object) -> str:
    """Without what would steer a terminal: escapes, line breaks, other controls."""
    return "".join(c if c.isprintable() else " " for c in str(text))
