"""The one way in which the demo fails."""


class MissingError(Exception):
    """Something that had to happen did not; the text says what, so that a reader knows where to look."""
