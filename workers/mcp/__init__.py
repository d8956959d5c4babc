"""MCP servers: tools and resources that other programs lend to a thread.

The official SDK speaks the protocol; it is imported when the first server is started, because most
threads have none and it costs 60 MiB.
"""
