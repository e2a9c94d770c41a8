"""Text between people."""
