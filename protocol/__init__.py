"""What is said: the shapes and rules of every conversation in Atrio.

Clients speak JSON-RPC without its `jsonrpc` member; `methods` is the table of all they can say
and hear, `envelope` reads and writes the messages.  The supervisor and its workers speak the
frames of `frames`, in which a client's JSON passes through unopened.  `rollout` is how a thread
is written down.  Pure data: nothing here does I/O, and nothing but msgspec is imported.
"""
