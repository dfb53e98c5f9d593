"""Clients that are as light as they can be, so that servers are what is measured; one of them for both gRPC servers."""
