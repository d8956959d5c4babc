"""What is raised instead of a start."""


class Refused(Exception):
    """The server cannot start as it was asked to; the text names cause and cure."""
