"""The tutorial's image service: a Go program calls a Python server that improves pictures."""
