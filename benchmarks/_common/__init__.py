"""What benchmarks share: rows and their table, timing in turns, counting instructions, child processes."""

from .instructions import Counted, count_instructions
from .row import Row
from .timing import Figure, in_turns

__all__ = ["Counted", "Figure", "Row", "count_instructions", "in_turns"]
