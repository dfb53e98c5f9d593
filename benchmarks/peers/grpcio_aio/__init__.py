"""grpcio's asyncio API (`grpc.aio`) on asyncio's own event loop."""
