"""How fast it is between two hosts."""
