"""What runs inside a guest. It uses its own Python's libraries only, and nothing of the rest of the rig."""
