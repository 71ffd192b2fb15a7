"""Threads that nobody has to wait for: they end with the program."""

from collections.abc import Callable, Iterable
from concurrent.futures import Future
from threading import Thread
from typing import Any


def start(act: Callable[..., Any], *arguments: Any) -> Future[Any]:
    future: Future[Any] = Future()

    def run() -> None:
        try:
            future.set_result(act(*arguments))
        except BaseException as error:  # noqa: BLE001 - it is raised where the result is asked for
            future.set_exception(error)

    Thread(target=run, daemon=True).start()
    return future


def together(act: Callable[[Any], Any], things: Iterable[Any]) -> list[Any]:
    """Act on all at once; the first failure is raised at once."""
    return [future.result() for future in [start(act, thing) for thing in things]]
