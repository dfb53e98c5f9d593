"""pygrpc-native: a server with the handlers of `grpc.aio` on tonic; it has no client of its own, so grpcio calls it."""
