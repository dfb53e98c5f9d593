"""Nothing but the engine: what a protocol straight on `penstock._engine` can do, and so the limit for our face.

No deadlines, limits, counters, admission, interceptors or keepalive, and no handling of errors: what goes wrong ends
the program. No tasks for calls and no waiting for messages either: all that is there is handled where the engine tells
of it. What is left is what every program does for itself: it builds each message, hands it over, and looks at each that
came. Below that our face cannot get, and how far above it is, the comparison says.
"""
