#!/usr/bin/env bash
# Writes grpc/proto/*.pb.go anew from the three .proto files. Needs Go, and a Python that has grpcio-tools for its protoc:
#   PYTHON=../../../.venv/bin/python ./generate.sh
set -euo pipefail
cd "$(dirname "$0")"

plugins=$(mktemp -d)
trap 'rm -rf "$plugins"' EXIT
GOBIN=$plugins go install google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.12
GOBIN=$plugins go install google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.6.2

options=()
for name in server_stream client_stream all_stream; do
    # The .proto files are as the tutorial has them, without go_package: so protoc is told the Go package here.
    options+=("--go_opt=M$name.proto=i-go/grpc/proto" "--go-grpc_opt=M$name.proto=i-go/grpc/proto")
done
PATH=$plugins:$PATH "${PYTHON:-python3}" -m grpc_tools.protoc --proto_path=.. \
    --go_out=. --go_opt=module=i-go --go-grpc_out=. --go-grpc_opt=module=i-go \
    "${options[@]}" server_stream.proto client_stream.proto all_stream.proto
