"""Use cases: one function, one transaction that the caller opened."""
