// The standard cases with grpc-js; each function is the case of its name and throws what is wrong.
'use strict';

const assert = require('node:assert/strict');
const { once } = require('node:events');
const { promisify } = require('node:util');
const { grpc, testing, payload, ECHO_INITIAL, ECHO_TRAILING } = require('./service');

const REQUEST_BYTES = [27182, 8, 1828, 45904];
const RESPONSE_BYTES = [31415, 9, 2653, 58979];
const LARGE = { response_size: 314159, payload: payload(271828) };
const STATUS = { code: 2, message: 'test status message' };
const SPECIAL_STATUS = { code: 2, message: '\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP \u{1f608}\t\n' };

const { UNIMPLEMENTED, CANCELLED, DEADLINE_EXCEEDED } = grpc.status;

const sizeOf = (reply) => reply.payload.body.length;
const unary = (client, name, ...rest) => promisify(client[name].bind(client))(...rest);
const ping = (requestBytes, responseBytes) => ({
  response_parameters: [{ size: responseBytes }],
  payload: payload(requestBytes),
});

/** The next reply of a stream that is in flowing mode for no longer than this. */
async function next(replies) {
  const { value, done } = await replies.next();
  assert.equal(done, false);
  return value;
}

function checkStatus(status) {
  return (error) => {
    assert.deepEqual([error.code, error.details], [status.code, status.message]);
    return true;
  };
}

async function empty_unary({ client }) {
  assert.deepEqual(await unary(client, 'EmptyCall', {}), {});
}

async function large_unary({ client }) {
  assert.equal(sizeOf(await unary(client, 'UnaryCall', LARGE)), 314159);
}

async function client_streaming({ client }) {
  const reply = await new Promise((resolve, reject) => {
    const call = client.StreamingInputCall((error, value) => (error ? reject(error) : resolve(value)));
    REQUEST_BYTES.forEach((size) => call.write({ payload: payload(size) }));
    call.end();
  });
  assert.equal(reply.aggregated_payload_size, 74922);
}

async function server_streaming({ client }) {
  const call = client.StreamingOutputCall({ response_parameters: RESPONSE_BYTES.map((size) => ({ size })) });
  const sizes = [];
  for await (const reply of call) {
    sizes.push(sizeOf(reply));
  }
  assert.deepEqual(sizes, RESPONSE_BYTES);
}

async function ping_pong({ client }) {
  const call = client.FullDuplexCall();
  const status = once(call, 'status');
  const replies = call[Symbol.asyncIterator]();
  for (const [turn, size] of REQUEST_BYTES.entries()) {
    call.write(ping(size, RESPONSE_BYTES[turn]));
    assert.equal(sizeOf(await next(replies)), RESPONSE_BYTES[turn]);
  }
  call.end();
  assert.equal((await replies.next()).done, true);
  assert.equal((await status)[0].code, grpc.status.OK);
}

async function empty_stream({ client }) {
  const call = client.FullDuplexCall();
  const status = once(call, 'status');
  call.end();
  assert.equal((await call[Symbol.asyncIterator]().next()).done, true);
  assert.equal((await status)[0].code, grpc.status.OK);
}

async function custom_metadata({ client }) {
  const metadata = new grpc.Metadata();
  metadata.set(ECHO_INITIAL, 'test_initial_metadata_value');
  metadata.set(ECHO_TRAILING, Buffer.from('ababab', 'hex'));
  const check = async (initial, status) => {
    assert.deepEqual((await initial)[0].get(ECHO_INITIAL), ['test_initial_metadata_value']);
    assert.deepEqual((await status)[0].metadata.get(ECHO_TRAILING), [Buffer.from('ababab', 'hex')]);
  };

  let one;
  const reply = new Promise((resolve, reject) => {
    one = client.UnaryCall(LARGE, metadata, (error, value) => (error ? reject(error) : resolve(value)));
  });
  const echoed = check(once(one, 'metadata'), once(one, 'status'));
  assert.equal(sizeOf(await reply), 314159);
  await echoed;

  const both = client.FullDuplexCall(metadata);
  const echoedToo = check(once(both, 'metadata'), once(both, 'status'));
  both.end(ping(271828, 314159));
  for await (const streamed of both) {
    assert.equal(sizeOf(streamed), 314159);
  }
  await echoedToo;
}

async function status_code_and_message({ client }) {
  await assert.rejects(unary(client, 'UnaryCall', { response_status: STATUS }), checkStatus(STATUS));
  const call = client.FullDuplexCall();
  call.end({ response_status: STATUS });
  await assert.rejects(call[Symbol.asyncIterator]().next(), checkStatus(STATUS));
}

async function special_status_message({ client }) {
  await assert.rejects(unary(client, 'UnaryCall', { response_status: SPECIAL_STATUS }), checkStatus(SPECIAL_STATUS));
}

async function unimplemented_method({ client }) {
  await assert.rejects(unary(client, 'UnimplementedCall', {}), { code: UNIMPLEMENTED });
}

async function unimplemented_service({ client }) {
  const stranger = new testing.UnimplementedService(null, null, { channelOverride: client.getChannel() });
  await assert.rejects(unary(stranger, 'UnimplementedCall', {}), { code: UNIMPLEMENTED });
}

async function cancel_after_begin({ client }) {
  const reply = new Promise((resolve, reject) => {
    const call = client.StreamingInputCall((error, value) => (error ? reject(error) : resolve(value)));
    setImmediate(() => call.cancel());
  });
  await assert.rejects(reply, { code: CANCELLED });
}

async function cancel_after_first_response({ client }) {
  const call = client.FullDuplexCall();
  const replies = call[Symbol.asyncIterator]();
  call.write(ping(27182, 31415));
  assert.equal(sizeOf(await next(replies)), 31415);
  call.cancel();
  await assert.rejects(replies.next(), { code: CANCELLED });
}

async function timeout_on_sleeping_server({ client }) {
  const call = client.FullDuplexCall({ deadline: Date.now() + 1 });
  call.on('error', () => {}); // also of what is written after the end
  call.write({ payload: payload(27182) });
  await assert.rejects(call[Symbol.asyncIterator]().next(), { code: DEADLINE_EXCEEDED });
}

module.exports = {
  empty_unary,
  large_unary,
  client_streaming,
  server_streaming,
  ping_pong,
  empty_stream,
  custom_metadata,
  status_code_and_message,
  special_status_message,
  unimplemented_method,
  unimplemented_service,
  cancel_after_begin,
  cancel_after_first_response,
  timeout_on_sleeping_server,
};
