"""Who is in range."""
