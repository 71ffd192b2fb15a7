"""Fixtures of every suite: one chain and one database per test worker."""
