"""grpc's eight negative HTTP/2 cases, and the peers they need.

peer.py            one end of a connection that may misbehave. h2 keeps its state; what h2 refuses goes out as it is.
large_unary.py     the one call of these cases.
hostile_server.py  answers calls as a case says.
cases.py           what it does in each case.
hostile_client.py  calls a server with DATA of a strange shape.

Source: grpc/grpc, doc/http2-interop-test-descriptions.md.
"""
