"""A proxy for any gRPC service."""
