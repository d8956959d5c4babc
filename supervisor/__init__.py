"""Who is connected, who hears what, who answers.

One Trio process that owns the sockets, the subscriptions, the questions to clients and the index
of threads.  It knows nothing of models, tools or sandboxes: it starts workers by name, never
imports them, and passes their JSON on without opening it.
"""
