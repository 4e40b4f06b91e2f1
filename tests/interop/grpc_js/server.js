// The echo service on @grpc/grpc-js: `node server.js CERT KEY CA`. Prints "listening PORT", then "METHOD cancelled" for each call given up.
'use strict';
const fs = require('fs');
const path = require('path');
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');

const [cert, key, ca] = process.argv.slice(2).map((name) => fs.readFileSync(name));
const { Echo } = grpc.loadPackageDefinition(loader.loadSync(path.join(__dirname, 'echo.proto'), { defaults: true })).skep.test;

const told = (name) => (call) => call.on('cancelled', () => console.log(`${name} cancelled`));

function whoami(call, reply) {
  const { subject } = call.getAuthContext().sslPeerCertificate;
  const units = [].concat(subject.OU).join(',');
  reply(null, { value: Buffer.from(`${subject.CN}|${units}|${subject.O}|${call.metadata.get('x-echo').join()}`) });
}

function fail(call, reply) {
  const [, code, details] = call.request.value.toString().match(/^(\d+) ([^]*)$/);
  reply({ code: Number(code), details });
}

function down(call) {
  const [count, size] = call.request.value.toString().split(' ').map(Number);
  let left = count;
  const send = () => {
    while (left-- > 0) if (!call.write({ value: Buffer.alloc(size, 'd') })) return call.once('drain', send);
    call.end();
  };
  send();
}

function up(call, reply) {
  let count = 0, bytes = 0;
  call.on('data', ({ value }) => { count++; bytes += value.length; });
  call.on('end', () => reply(null, { value: Buffer.from(`${count} ${bytes}`) }));
}

const server = new grpc.Server({ 'grpc.max_receive_message_length': 16 << 20, 'grpc.max_send_message_length': -1 });
server.addService(Echo.service, {
  Unary: (call, reply) => reply(null, call.request),
  Fail: fail,
  Whoami: whoami,
  Hang: told('Hang'),
  Down: down,
  Up: up,
  Both: (call) => call.pipe(call),
});
const credentials = grpc.ServerCredentials.createSsl(ca, [{ cert_chain: cert, private_key: key }], true);
server.bindAsync('127.0.0.1:0', credentials, (error, port) => {
  if (error) throw error;
  console.log(`listening ${port}`);
});
process.stdin.resume().on('end', () => process.exit(0));
