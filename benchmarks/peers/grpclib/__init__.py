"""grpclib: gRPC in Python on h2 in Python, for asyncio."""
