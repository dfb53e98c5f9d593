"""h2spec and h2specd: two suites of HTTP/2 cases by others, and the two ends of ours they run against.

report.py    what a suite printed: its cases, which passed, the counts it claims.
h2spec.py    runs h2spec against a server.
h2specd.py   runs h2specd, which starts a client for each case; relay.py is what it starts.

Source: github.com/summerwind/h2spec, version in ../go/go.mod.
"""
