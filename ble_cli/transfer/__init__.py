"""Bytes to one peer at the pace at which it takes them: for files, and to measure how fast that is."""
