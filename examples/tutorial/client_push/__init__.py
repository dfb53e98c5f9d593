"""The client pushes lines to the server."""
