"""Talking with a thread: a realtime session of the provider's, beside the turns of the model.

`wire` reaches the provider, `speech` puts into its words what is said to it and understands what
it says, `conversation` is the session of one thread, and `handlers` what clients ask.  The realtime
model talks; what is to be done it hands over to the thread, and hears of the outcome.
"""
