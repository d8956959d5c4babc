"""Where work happens: one process per loaded thread.

A worker is forked by the nursery process, waits as a spare, becomes a thread when its first frame
says which, and ends with `Bye`, with its link, or with its supervisor.  It is the only writer of
its thread's rollout while the thread is loaded, it talks to the model provider, and the model's
commands are its children.
"""
