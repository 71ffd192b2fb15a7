"""Fixtures of every suite: one chain and one database per test worker."""

from hypothesis import settings

pytest_plugins = [
    "tests.chain",
    "tests.database",
    "tests.world",
    "tests.sender_books",
    "tests.cli.operator",
]

# A busy machine is no fault of the code.
settings.register_profile("calm", deadline=None)
settings.load_profile("calm")
