"""Field types that several schemas share. Numbers JavaScript cannot hold are decimal text."""

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer

MAX_SIGNATURE_CHARS = 2 + 2 * 8192
HEX = re.compile(r"0x([0-9a-fA-F]{2})*")
DIGITS = re.compile(r"[0-9]{1,39}")


def parse_units(value: Any) -> int:
    if isinstance(value, str) and DIGITS.fullmatch(value):
        return int(value)
    if type(value) is int and value >= 0:
        return value
    raise ValueError("must be a whole number in the smallest unit, as decimal text")


def parse_hex(value: str) -> str:
    if not HEX.fullmatch(value):
        raise ValueError("must be hex text that begins with 0x")
    return value


Units = Annotated[
    int,
    BeforeValidator(parse_units),
    PlainSerializer(str, return_type=str, when_used="json"),
    Field(json_schema_extra={"type": "string", "example": "100000000"}),
]
Signature = Annotated[
    str, Field(max_length=MAX_SIGNATURE_CHARS, examples=["0x…"]), AfterValidator(parse_hex)
]
OrderId = Annotated[str, Field(pattern="^0x[0-9a-f]{64}$")]
Fiat = Annotated[str, Field(pattern="^[A-Z]{3}$", examples=["EUR"])]


def signature_bytes(signature: str) -> bytes:
    return bytes.fromhex(signature[2:])
