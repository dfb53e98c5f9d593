"""The server pushes lines to the client."""
