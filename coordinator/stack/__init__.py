"""The whole stack on one machine: database, chain, contracts and every process, supervised."""
