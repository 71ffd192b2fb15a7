"""No request is larger than the largest that means anything."""

from collections.abc import Iterator

import httpx

from coordinator.api.body_limit import MAX_BODY_BYTES


def chunks(total: int) -> Iterator[bytes]:
    for _ in range(0, total, 1024):
        yield b" " * 1024


def test_a_declared_length_over_the_limit_is_refused(http: httpx.Client) -> None:
    answer = http.post("/auth/sign-in", content=b" " * (MAX_BODY_BYTES + 1))
    assert (answer.status_code, answer.json()["code"]) == (413, "request_entity_too_large")


def test_a_body_that_does_not_end_is_refused(http: httpx.Client) -> None:
    answer = http.post("/auth/sign-in", content=chunks(MAX_BODY_BYTES + 2048))
    assert (answer.status_code, answer.json()["code"]) == (413, "request_entity_too_large")
