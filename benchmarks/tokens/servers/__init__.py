"""The servers that are compared. Each takes the steps of a second, prints its address, and ends with its input."""
