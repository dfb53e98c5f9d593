// Cases of many calls with grpc-js; the soaks have a limit for each call and for all together.
'use strict';

const assert = require('node:assert/strict');
const { setTimeout: pause } = require('node:timers/promises');
const { large_unary } = require('./cases');

async function soak(flags, call) {
  const begun = performance.now();
  const failures = [];
  for (let number = 0; number < Number(flags.soak_iterations); number += 1) {
    const start = performance.now();
    assert.ok(start - begun < flags.soak_overall_timeout_seconds * 1000, `only ${number} iterations in time`);
    try {
      await call();
      const elapsed = performance.now() - start;
      assert.ok(elapsed <= Number(flags.soak_per_iteration_max_acceptable_latency_ms), `took ${elapsed} ms`);
    } catch (error) {
      failures.push(`iteration ${number}: ${error.message}`);
    }
    if (flags.soak_min_time_ms_between_rpcs > 0) {
      await pause(start + Number(flags.soak_min_time_ms_between_rpcs) - performance.now());
    }
  }
  assert.ok(failures.length <= Number(flags.soak_max_failures), failures.slice(0, 5).join('\n'));
}

async function concurrent_large_unary(context) {
  await Promise.all(Array.from({ length: Number(context.flags.soak_iterations) }, () => large_unary(context)));
}

async function rpc_soak(context) {
  await soak(context.flags, () => large_unary(context));
}

async function channel_soak({ flags, connect }) {
  await soak(flags, async () => {
    const client = connect();
    await large_unary({ client });
    client.close();
  });
}

module.exports = { concurrent_large_unary, rpc_soak, channel_soak, long_lived_channel: rpc_soak };
