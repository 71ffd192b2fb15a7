"""HTTP: one router a noun, schemas apart from tables."""
