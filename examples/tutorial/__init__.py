"""The gRPC stream tutorial: three services, each with a server and a client."""
