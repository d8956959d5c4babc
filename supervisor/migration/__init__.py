"""Taking over what a user of Claude Code has: settings, documents, sessions.

Nothing of the source is changed, and nothing that is already at the target is written over.
"""
