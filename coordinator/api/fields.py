"""Field types that several schemas share. Numbers JavaScript cannot hold are decimal text."""

import re
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer

MAX_SIGNATURE_CHARS = 2 + 2 * 8192
HEX = re.compile(r"0x([0-9a-fA-F]{2})*")
MAX_DIGITS = 39
DIGITS = re.compile(f"[0-9]{{1,{MAX_DIGITS}}}")
DECIMAL = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,30})?")
# What the database's INTEGER holds.
MAX_ROW_ID = 2**31 - 1


def parse_units(value: Any) -> int:
    if isinstance(value, str) and DIGITS.fullmatch(value):
        return int(value)
    if type(value) is int and 0 <= value < 10**MAX_DIGITS:
        return value
    raise ValueError("must be a whole number in the smallest unit, as decimal text")


def parse_price(value: Any) -> Decimal:
    """Never a JSON number: it would have been a float on its way."""
    if isinstance(value, str) and DECIMAL.fullmatch(value):
        return Decimal(value)
    raise ValueError('must be a decimal number as text, such as "0.93"')


def parse_text(value: str) -> str:
    if "\x00" in value:
        raise ValueError("must not hold the character NUL")
    return value


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
Price = Annotated[
    Decimal,
    BeforeValidator(parse_price),
    Field(json_schema_extra={"type": "string", "example": "0.93"}),
]
Text = Annotated[str, AfterValidator(parse_text)]
# Whole numbers are whole numbers: neither 900.0 nor "900" nor true.
Whole = Annotated[int, Field(strict=True)]
RowId = Annotated[int, Field(ge=1, le=MAX_ROW_ID)]
OrderId = Annotated[str, Field(pattern="^0x[0-9a-f]{64}$")]
Fiat = Annotated[str, Field(pattern="^[A-Z]{3}$", examples=["EUR"])]


def signature_bytes(signature: str) -> bytes:
    return bytes.fromhex(signature[2:])
