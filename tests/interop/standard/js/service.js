// The test service as grpc-js sees it, and what its client and its server have in common.
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { parseArgs } = require('node:util');
const grpc = require('@grpc/grpc-js');
const protoLoader = require('@grpc/proto-loader');

const PROTO = path.join(__dirname, '../../../protos/grpc_testing.proto');
const definition = protoLoader.loadSync(PROTO, { keepCase: true, defaults: true });

/** Both services, with their clients: `testing.TestService`. */
const testing = grpc.loadPackageDefinition(definition).grpc.testing;

const ECHO_INITIAL = 'x-grpc-test-echo-initial';
const ECHO_TRAILING = 'x-grpc-test-echo-trailing-bin';

/** A payload of zeros. */
function payload(size) {
  return { body: Buffer.alloc(size) };
}

/** The flags of the interop programs, all as text. */
function readFlags(defaults) {
  const options = Object.fromEntries(
    Object.entries(defaults).map(([name, value]) => [name, { type: 'string', default: value }]),
  );
  return parseArgs({ options }).values;
}

module.exports = { grpc, testing, payload, readFlags, read: fs.readFileSync, ECHO_INITIAL, ECHO_TRAILING };
