"""What both sides set."""

__all__ = ["OPTIONS"]

OPTIONS = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
"""No bound on the size of a message."""
