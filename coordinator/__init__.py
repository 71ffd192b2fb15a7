"""The coordinator: lists ads, matches takers, watches the chain, co-signs."""
