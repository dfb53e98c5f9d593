// The test service on grpc-js: node server.js --port=0 [--use_tls=true --tls_cert_file=... --tls_key_file=...]
'use strict';

const { setTimeout: pause } = require('node:timers/promises');
const { grpc, testing, payload, readFlags, read, ECHO_INITIAL, ECHO_TRAILING } = require('./service');

/** Send back what the client wants to see again; what remains is sent with the status. */
function echoMetadata(call) {
  const [initial] = call.metadata.get(ECHO_INITIAL);
  if (initial !== undefined) {
    const metadata = new grpc.Metadata();
    metadata.set(ECHO_INITIAL, initial);
    call.sendMetadata(metadata);
  }
  const trailing = new grpc.Metadata();
  call.metadata.get(ECHO_TRAILING).forEach((value) => trailing.add(ECHO_TRAILING, value));
  return trailing;
}

function wantsStatus(request) {
  return request.response_status && request.response_status.code !== 0;
}

function statusOf(request) {
  return { code: request.response_status.code, details: request.response_status.message };
}

async function sendPayloads(call, request) {
  for (const wanted of request.response_parameters) {
    if (wanted.interval_us > 0) {
      await pause(wanted.interval_us / 1000);
    }
    call.write({ payload: payload(wanted.size) });
  }
}

const service = {
  EmptyCall(call, answer) {
    answer(null, {});
  },

  UnaryCall(call, answer) {
    const trailing = echoMetadata(call);
    if (wantsStatus(call.request)) {
      answer(statusOf(call.request), null, trailing);
    } else {
      answer(null, { payload: payload(call.request.response_size) }, trailing);
    }
  },

  async StreamingOutputCall(call) {
    await sendPayloads(call, call.request);
    call.end();
  },

  StreamingInputCall(call, answer) {
    let total = 0;
    call.on('data', (request) => (total += request.payload.body.length));
    call.on('end', () => answer(null, { aggregated_payload_size: total }));
  },

  FullDuplexCall(call) {
    const trailing = echoMetadata(call);
    let answered = Promise.resolve();
    let ended = false;
    // Not `for await`: when that is done it destroys the whole call, the side that answers included.
    call.on('data', (request) => {
      answered = answered.then(async () => {
        if (ended) {
          return;
        }
        if (wantsStatus(request)) {
          ended = true;
          call.emit('error', { ...statusOf(request), metadata: trailing });
        } else {
          await sendPayloads(call, request);
        }
      });
    });
    call.on('end', () => answered.then(() => ended || call.end(trailing)));
  },
};

function credentials(flags) {
  if (flags.use_tls !== 'true') {
    return grpc.ServerCredentials.createInsecure();
  }
  const pair = { cert_chain: read(flags.tls_cert_file), private_key: read(flags.tls_key_file) };
  return grpc.ServerCredentials.createSsl(null, [pair]);
}

const flags = readFlags({ port: '0', use_tls: 'false', tls_cert_file: '', tls_key_file: '' });
const server = new grpc.Server();
server.addService(testing.TestService.service, service);
server.bindAsync(`127.0.0.1:${flags.port}`, credentials(flags), (error, port) => {
  if (error) {
    throw error;
  }
  console.log(`listening on port ${port}`);
});
