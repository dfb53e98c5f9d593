"""gRPC's standard interop cases, both ways, with grpc-go, grpcio and grpc-js.

`cases.py` lists them; `ours/` is Penstock's client and server, and shows how each case is written with it.
"""
