"""What programs that use a radio have in common, one idea each: the radio's callbacks, signals, reports, the end.

The examples and the commands are made of it; it needs the standard library only.
"""
