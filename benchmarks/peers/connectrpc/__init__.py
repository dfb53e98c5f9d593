"""connectrpc speaking gRPC: its server on pyvoy (Envoy, on uvloop as it comes), its client on pyqwest (hyper)."""
