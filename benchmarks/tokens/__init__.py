"""How many tokens one process delivers to many streams, and how evenly: see README.md."""
