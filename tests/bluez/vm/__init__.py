"""Virtual machines: starting them, and speaking with the steward inside."""
