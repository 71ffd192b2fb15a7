"""Fixtures of every suite: one chain and one database per test worker."""

pytest_plugins = ["tests.chain", "tests.database"]
