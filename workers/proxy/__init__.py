"""The proxy of a managed network: the only way out for the commands of a thread.

What arrives here was written by programs that nobody trusts, so every reading is bounded in bytes,
in time and in number.  `gate` decides and connects; `http` and `socks` are two ways to ask it.
"""
