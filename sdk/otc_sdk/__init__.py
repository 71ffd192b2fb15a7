"""Client of the escrow and of a coordinator."""
