#!/usr/bin/env bash
# Writes echo/*.pb.go anew from tests/protos/echo.proto. Needs Go, and a Python that has grpcio-tools for its protoc:
#   PYTHON=../../../.venv/bin/python ./generate.sh
set -euo pipefail
cd "$(dirname "$0")"

plugins=$(mktemp -d)
trap 'rm -rf "$plugins"' EXIT
GOBIN=$plugins go install google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.12
GOBIN=$plugins go install google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.6.2

# The .proto file has no go_package: it is Python's first. So protoc is told the Go package here.
PATH=$plugins:$PATH "${PYTHON:-python3}" -m grpc_tools.protoc --proto_path=../../protos \
    --go_out=. --go_opt=module=interop --go_opt=Mecho.proto=interop/echo \
    --go-grpc_out=. --go-grpc_opt=module=interop --go-grpc_opt=Mecho.proto=interop/echo \
    echo.proto
