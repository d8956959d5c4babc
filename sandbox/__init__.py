"""What a command may touch: a policy goes in, a recipe for launching comes out.

Nothing is started here.  A policy that this host cannot enforce is refused, never weakened.
"""
