// Calls our echo server: `node client.js ADDRESS CERT KEY CA NAME`. Prints "SCENARIO ok" or "SCENARIO FAIL: what".
'use strict';
const assert = require('assert');
const fs = require('fs');
const path = require('path');
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');

const [address, certFile, keyFile, caFile, name] = process.argv.slice(2);
const [cert, key, ca] = [certFile, keyFile, caFile].map((file) => fs.readFileSync(file));
const { Echo } = grpc.loadPackageDefinition(loader.loadSync(path.join(__dirname, 'echo.proto'), { defaults: true })).skep.test;
const client = new Echo(address, grpc.credentials.createSsl(ca, key, cert), {
  'grpc.ssl_target_name_override': name,
  'grpc.max_send_message_length': -1,
});

const text = (value) => ({ value: Buffer.from(value) });
const ask = (method, request, ...more) =>
  new Promise((resolve, reject) => client[method](request, ...more, (error, reply) => (error ? reject(error) : resolve(reply.value))));
const refused = async (promise, code, details) =>
  assert.rejects(promise, (error) => {
    assert.strictEqual(error.code, code, error.message);
    if (details !== undefined) assert.strictEqual(error.details, details);
    return true;
  });

async function collect(call) {
  let count = 0, bytes = 0;
  for await (const { value } of call) { count++; bytes += value.length; }
  return `${count} ${bytes}`;
}

async function pour(call, count, size) {
  for (let i = 0; i < count; i++)
    if (!call.write({ value: Buffer.alloc(size, i) })) await new Promise((resolve) => call.once('drain', resolve));
  call.end();
}

const scenarios = {
  unary: async () => assert.strictEqual((await ask('Unary', text('hello'))).toString(), 'hello'),
  empty: async () => assert.strictEqual((await ask('Unary', text(''))).length, 0),
  large: async () => {
    const data = Buffer.alloc(3500 << 10, 'skep');
    assert((await ask('Unary', { value: data })).equals(data));
  },
  too_large: () => refused(ask('Unary', { value: Buffer.alloc(17 << 20) }), grpc.status.RESOURCE_EXHAUSTED),
  fails: () => refused(ask('Fail', text('7 nicht für dich: 100%\n')), 7, 'nicht für dich: 100%\n'),
  whoami: async () => {
    const metadata = new grpc.Metadata();
    metadata.set('x-echo', 'left right');
    assert.strictEqual((await ask('Whoami', text(''), metadata)).toString(), 'node1|swarm-worker|cluster1|left right');
  },
  deadline: () => refused(ask('Hang', text(''), { deadline: Date.now() + 300 }), grpc.status.DEADLINE_EXCEEDED),
  cancel: () =>
    refused(
      new Promise((resolve, reject) => {
        const call = client.Hang(text(''), (error, reply) => (error ? reject(error) : resolve(reply)));
        setTimeout(() => call.cancel(), 200);
      }),
      grpc.status.CANCELLED,
    ),
  unknown_method: () => refused(ask('Nothing', text('')), grpc.status.UNIMPLEMENTED, 'unknown method Nothing for service skep.test.Echo'),
  down: async () => assert.strictEqual(await collect(client.Down(text('200 50000'))), '200 10000000'),
  slow_reader: async () => {
    const call = client.Down(text('200 50000'));
    call.pause();
    await new Promise((resolve) => setTimeout(resolve, 300));
    assert.strictEqual(await collect(call), '200 10000000');
  },
  up: async () => {
    const reply = new Promise((resolve, reject) => {
      pour(client.Up((error, { value } = {}) => (error ? reject(error) : resolve(value.toString()))), 200, 50000);
    });
    assert.strictEqual(await reply, '200 10000000');
  },
  both: async () => {
    const call = client.Both();
    const [got] = await Promise.all([collect(call), pour(call, 200, 50000)]);
    assert.strictEqual(got, '200 10000000');
  },
  many_at_once: async () => {
    const replies = await Promise.all(Array.from({ length: 500 }, (_, i) => ask('Unary', text(`${i}`))));
    replies.forEach((reply, i) => assert.strictEqual(reply.toString(), `${i}`));
  },
};

(async () => {
  let failures = 0;
  for (const [scenario, run] of Object.entries(scenarios)) {
    try {
      await run();
      console.log(`${scenario} ok`);
    } catch (error) {
      failures++;
      console.log(`${scenario} FAIL: ${error.message.replace(/\n/g, ' ')}`);
    }
  }
  client.close();
  process.exit(failures);
})();
