"""grpc-go, client and server; README.md says how it is set, and why. `make grpc-go-peer` builds it."""
