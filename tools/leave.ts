/**
 * How a command's process ends: by its own decision, when its work is done.
 *
 * Left to itself Node waits for every socket. One whose peer has fallen silent, as behind a cut
 * cable, is not closed before the kernel gives up sending, minutes later: a fenced primary would
 * stay for as long in the list of processes, and whoever restarts it would wait.
 */

/** Ends this process with `status` once what it wrote is out. */
export async function leave(status: number): Promise<never> {
  await Promise.all([written(process.stdout), written(process.stderr)]);
  process.exit(status);
}

/** Resolves when everything written so far has been handed to the system, or can't be. */
function written(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    if (stream.destroyed || stream.writableEnded) resolve();
    else stream.write('', () => resolve());
  });
}
