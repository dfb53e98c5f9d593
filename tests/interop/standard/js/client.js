// The interop client on grpc-js: node client.js --server_port=... --test_case=... and the flags below
'use strict';

const { grpc, testing, readFlags, read } = require('./service');

const CASES = { ...require('./cases'), ...require('./compression'), ...require('./soak') };

const flags = readFlags({
  server_host: '127.0.0.1',
  server_port: '10000',
  server_host_override: '',
  test_case: 'large_unary',
  use_tls: 'false',
  use_test_ca: 'false',
  ca_file: '',
  soak_iterations: '10',
  soak_max_failures: '0',
  soak_per_iteration_max_acceptable_latency_ms: '1000',
  soak_overall_timeout_seconds: '60',
  soak_min_time_ms_between_rpcs: '0',
});

/** A client on a connection of its own. */
function connect(options = {}) {
  const address = `${flags.server_host}:${flags.server_port}`;
  const own = { 'grpc.use_local_subchannel_pool': 1, ...options };
  if (flags.use_tls !== 'true') {
    return new testing.TestService(address, grpc.credentials.createInsecure(), own);
  }
  const roots = flags.use_test_ca === 'true' ? read(flags.ca_file) : null;
  const name = flags.server_host_override;
  const named = { 'grpc.ssl_target_name_override': name, 'grpc.default_authority': name, ...own };
  return new testing.TestService(address, grpc.credentials.createSsl(roots), named);
}

async function main() {
  const client = connect();
  try {
    await CASES[flags.test_case]({ client, connect, flags });
  } finally {
    client.close();
  }
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
