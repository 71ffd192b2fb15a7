"""The wall's clock."""

import time


def wall_clock() -> int:
    return int(time.time())
