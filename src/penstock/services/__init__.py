"""Standard services of gRPC: health, reflection, channelz.

`grpc_health`, `grpc_reflection` and `grpc_channelz` hold what `make gen` writes for the .proto files in `proto/`:
messages, typed bases and clients. Names, and bytes on the wire, are those of every other implementation.
"""
