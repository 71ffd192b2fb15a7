"""What reaches outside: nodes, keys, other processes."""
