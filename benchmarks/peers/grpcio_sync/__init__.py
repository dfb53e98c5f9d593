"""grpcio's API for threads: a pool of them in the server, blocking calls in the client."""
