"""Server and client push lines to each other."""
