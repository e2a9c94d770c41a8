"""How fast and how small it is: each file here that is not private is one benchmark, run by ``python -m benchmarks``.

A benchmark is a function `rows(quick)` that yields a `Row` for each thing that it measures. To add one, add a file.
Every row has, beside the absolute figure, one that does not depend on the machine: a ratio to something that was
measured in turn with it, or a count.
"""
