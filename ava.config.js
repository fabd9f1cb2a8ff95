/**
 * How ava runs the compiled tests. `tsc -b` comes first: harts are worker threads, and a worker
 * cannot be loaded from TypeScript source on every supported version of Node.
 *
 * Test files run in processes of their own, because the subject starts workers and processes
 * itself. Groups are folders of test/, named by the scripts in package.json; two files run at a
 * time, end-to-end tests one at a time (they measure).
 */
export default {
  files: ['dist/test/**/*.test.js'],
  workerThreads: false,
  nodeArguments: ['--enable-source-maps'],
  timeout: '3m',
  concurrency: 2,
  verbose: true,
};
