"""Every way to end a call, on both sides: what holds afterwards. Another way is one more line in `cases.py`."""
