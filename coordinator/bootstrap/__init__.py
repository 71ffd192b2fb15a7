"""The only place where adapters are built: each process of the coordinator from its settings."""
