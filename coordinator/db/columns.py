"""Column types that several tables share."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, Column, Numeric, Text, any_, literal
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator


class Units(TypeDecorator[int]):
    """A token amount in its smallest unit: a Python int in, NUMERIC(78, 0) in the database."""

    impl = Numeric(78, 0)
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> Decimal | None:  # noqa: ARG002
        return None if value is None else Decimal(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> int | None:  # noqa: ARG002
        return None if value is None else int(value)


def units(**kwargs: Any) -> Column[int]:
    return Column(Units(), nullable=False, **kwargs)


def seconds(nullable: bool = False, **kwargs: Any) -> Column[int]:
    """Unix seconds."""
    return Column(BigInteger, nullable=nullable, **kwargs)


def json_column(nullable: bool = False) -> Column[Any]:
    return Column(JSONB, nullable=nullable)


def numbers(values: Iterable[int | None]) -> Any:
    """As texts, for whole numbers."""
    return any_(literal(list(values), ARRAY(BigInteger)))


def texts(values: Iterable[str]) -> Any:
    """To compare a column with any of a list, as one parameter: lists have no limit then."""
    return any_(literal(list(values), ARRAY(Text)))
