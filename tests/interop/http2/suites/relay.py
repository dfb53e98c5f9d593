"""The program that h2specd starts for each case: has the test make the call, and waits until it was made.

Arguments: the Unix socket of the test, the URL of the case.
"""

import socket
import sys

with socket.socket(socket.AF_UNIX) as test:
    test.connect(sys.argv[1])
    test.sendall(sys.argv[2].encode() + b"\n")
    test.recv(1)
