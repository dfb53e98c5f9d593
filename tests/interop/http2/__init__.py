"""HTTP/2 itself: peers that play foul, and two suites of others.

negative/   grpc's eight negative HTTP/2 cases. A hostile server of ours (PyPI h2, asyncio) against our client, and
            against grpc-go's client for these cases, which vouches for the server. The shapes of DATA of two of them
            also go to our server.
suites/     h2spec against our server, h2specd against our client: plaintext and TLS.
go/         the versions of the Go programs; go_programs.py builds them under build/.

`make http2` runs all of it, and prints for each suite how many cases were run, passed, failed and skipped.
"""
