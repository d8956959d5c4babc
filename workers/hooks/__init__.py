"""Hooks: programs of the user that are run at certain events, are told of them, and have a say.

`program` runs one, `output` understands what it says, `subject` is what it is told of a call, and
`runs` brings them together for a thread.  The rules are the reference server's (observed); they are
those of Claude Code as far as both have them.
"""
