/**
 * The ledger in TypeScript: what the guest must answer, computed outside of any machine.
 *
 * A test feeds it the transactions in the order in which it sent them; an answer that differs
 * means that one was lost, doubled, reordered or damaged on the way.
 */

const FNV_OFFSET = 0xcbf29ce484222325n;
const FNV_PRIME = 0x100000001b3n;

export class LedgerModel {
  count = 0n;
  sum = 0n;
  hash = FNV_OFFSET;

  /** Enters a transaction and returns the guest's answer to it, without the line end. */
  transact(number: bigint, amount: bigint): string {
    this.count += 1n;
    this.sum = BigInt.asIntN(64, this.sum + amount);
    this.hash = fold(fold(this.hash, number), amount);
    return `A ${number} ${this.state}`;
  }

  /** `COUNT SUM HASH`, as in the answers. */
  get state(): string {
    return `${this.count} ${this.sum} ${this.hash.toString(16).padStart(16, '0')}`;
  }
}

function fold(state: bigint, word: bigint): bigint {
  let rest = BigInt.asUintN(64, word);
  let folded = state;
  for (let index = 0; index < 8; index++) {
    folded = BigInt.asUintN(64, (folded ^ (rest & 0xffn)) * FNV_PRIME);
    rest >>= 8n;
  }
  return folded;
}
