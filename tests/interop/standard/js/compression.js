// The compressed cases with grpc-js; each function is the case of its name and throws what is wrong.
'use strict';

const assert = require('node:assert/strict');
const { promisify } = require('node:util');
const zlib = require('node:zlib');
const { grpc, payload } = require('./service');

const GZIP = { 'grpc.default_compression_algorithm': 2 };
const INVALID = { code: grpc.status.INVALID_ARGUMENT };
const LARGE = { response_size: 314159, payload: payload(271828) };
const NO_COMPRESS = 2; // of grpc-js's WriteFlags, which it does not export
const yes = { value: true };
const no = { value: false };

// grpc-js tells nobody how a message came, so we count what is unpacked.
let unpacked = 0;
const { createGunzip } = zlib;
Object.defineProperty(zlib, 'createGunzip', {
  value: (...options) => {
    unpacked += 1;
    return createGunzip(...options);
  },
});

const unary = (client, request) => promisify(client.UnaryCall.bind(client))(request);

async function client_compressed_unary({ client, connect }) {
  await assert.rejects(unary(client, { ...LARGE, expect_compressed: yes }), INVALID);
  await client_compressed_unary_noprobe({ client, connect });
}

async function client_compressed_unary_noprobe({ client, connect }) {
  const compressing = connect(GZIP);
  assert.equal((await unary(compressing, { ...LARGE, expect_compressed: yes })).payload.body.length, 314159);
  compressing.close();
  assert.equal((await unary(client, { ...LARGE, expect_compressed: no })).payload.body.length, 314159);
}

async function server_compressed_unary({ client }) {
  for (const wanted of [yes, no]) {
    const before = unpacked;
    const reply = await unary(client, { ...LARGE, response_compressed: wanted });
    assert.equal(reply.payload.body.length, 314159);
    assert.equal(unpacked - before, wanted.value ? 1 : 0);
  }
}

/** Send requests, each with a flag of its own. */
function upload(client, requests) {
  return new Promise((resolve, reject) => {
    const call = client.StreamingInputCall((error, value) => (error ? reject(error) : resolve(value)));
    for (const [request, flags] of requests) {
      call.write(request, flags);
    }
    call.end();
  });
}

async function client_compressed_streaming({ client, connect }) {
  await assert.rejects(upload(client, [[{ payload: payload(27182), expect_compressed: yes }]]), INVALID);
  await client_compressed_streaming_noprobe({ connect });
}

async function client_compressed_streaming_noprobe({ connect }) {
  const compressing = connect(GZIP);
  const compressed = { payload: payload(27182), expect_compressed: yes };
  const plain = { payload: payload(45904), expect_compressed: no };
  const reply = await upload(compressing, [[compressed], [plain, NO_COMPRESS]]);
  assert.equal(reply.aggregated_payload_size, 73086);
  compressing.close();
}

async function server_compressed_streaming({ client }) {
  const before = unpacked;
  const wanted = [{ size: 31415, compressed: yes }, { size: 92653, compressed: no }];
  const sizes = [];
  for await (const reply of client.StreamingOutputCall({ response_parameters: wanted })) {
    sizes.push([reply.payload.body.length, unpacked - before]);
  }
  assert.deepEqual(sizes, [[31415, 1], [92653, 1]]);
}

module.exports = {
  client_compressed_unary,
  client_compressed_unary_noprobe,
  server_compressed_unary,
  client_compressed_streaming,
  client_compressed_streaming_noprobe,
  server_compressed_streaming,
};
