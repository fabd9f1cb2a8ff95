/**
 * Goal: the two sides of a pair may execute the guest in different ways; the replica stays equal to
 * its primary, and takes over from it.
 * Method: the ledger guest on a compiling primary with an interpreting backup, and the reverse;
 * transactions while it spins, many equal checks of state, then SIGKILL of the primary and more
 * transactions, each answer against a model.
 */

import test from 'ava';
import { LEDGER_FLAGS, untilProtected } from '../support/campaign-fleet.js';
import { ledgerDialect } from '../support/campaign-dialects.js';
import { LOCKSTEP } from '../support/lockstep-process.js';
import { PairFixture, until } from '../support/pair.js';

const COMPILER = ['--engine', 'compiler', '--hot-after', '20'];
const INTERPRETER = ['--engine', 'interpreter'];
const CHECKS = 10n;
/** An interpreted side slows the other down to its own speed. */
const PATIENCE_MS = 200_000;

/** With the primary's work: thousands of iterations without sleep. */
const PAIRS = [
  ['compiled', COMPILER, 'interpreted', INTERPRETER, 'B 60000'],
  ['interpreted', INTERPRETER, 'compiled', COMPILER, 'B 24000'],
] as const;

for (const [first, ofPrimary, second, ofBackup, work] of PAIRS) {
  test.serial(`of a pair, ${first} primary and ${second} backup, none differs`, async (t) => {
    t.timeout(600_000);
    const fixture = new PairFixture(t, LOCKSTEP, LEDGER_FLAGS);
    const primary = fixture.primary(...ofPrimary);
    const backup = await fixture.backup([primary], ...ofBackup);
    await untilProtected(primary);
    const log = await fixture.console([primary, backup]);
    const dialect = ledgerDialect();
    let number = 0;
    const transact = async (count: number): Promise<void> => {
      for (let sent = 0; sent < count; sent++) {
        log.send(`${dialect.request(++number)}\n`);
        const answer = dialect.nextAnswer();
        await until(`answer ${number}`, () => log.lines.includes(answer), PATIENCE_MS);
      }
    };
    log.send(`${work}\n`);
    await transact(20);
    const isChecked = async (): Promise<boolean> => (await backup.status()).stateChecks >= CHECKS;
    await until('checks of state', isChecked, PATIENCE_MS);
    await untilProtected(primary);
    primary.signal('SIGKILL');
    await transact(20);
    const answers = log.lines.filter((line) => dialect.isAnswer(line));
    t.is(answers.length, number, 'no answer is lost or doubled');
    t.deepEqual(log.epochs, [1n, 2n]);
  });
}
