"""What benchmarks share: rows and their table, timing in turns, counting instructions, child processes."""

from .instructions import Counted, count_instructions, run_between_marks
from .row import Row
from .timing import Figure, in_turns, ratio

__all__ = ["Counted", "Figure", "Row", "count_instructions", "in_turns", "ratio", "run_between_marks"]
