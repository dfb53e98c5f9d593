#!/usr/bin/env bash
# Writes images/*.pb.go anew from images.proto. Needs Go, and a Python that has grpcio-tools for its protoc:
#   PYTHON=../../../.venv/bin/python ./generate.sh
set -euo pipefail
cd "$(dirname "$0")"

plugins=$(mktemp -d)
trap 'rm -rf "$plugins"' EXIT
GOBIN=$plugins go install google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.12
GOBIN=$plugins go install google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.6.2

PATH=$plugins:$PATH "${PYTHON:-python3}" -m grpc_tools.protoc --proto_path=.. \
    --go_out=. --go_opt=module=image_service --go-grpc_out=. --go-grpc_opt=module=image_service images.proto
