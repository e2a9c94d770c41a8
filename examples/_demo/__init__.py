"""The parts of the demo, one idea each. `examples/demo.py` says what it shows."""
