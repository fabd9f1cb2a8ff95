/**
 * `node relay.js SOCKET HOST PORT`: each connection to a Unix socket is one to HOST:PORT. It lets a
 * client outside of a network namespace speak from inside.
 */

import { connect, createServer } from 'node:net';

const [, , path = '', host = '', port = ''] = process.argv;

createServer((near) => {
  const far = connect({ host, port: Number(port) });
  near.pipe(far).pipe(near);
  near.on('error', () => far.destroy());
  far.on('error', () => near.destroy());
}).listen(path, () => process.stderr.write(`${JSON.stringify({ event: 'ready' })}\n`));
