/**
 * The keys that a terminal keeps for itself while all others go to the guest, as in QEMU: Ctrl-A
 * and then x quits, h or ? shows the keys, Ctrl-A again sends one Ctrl-A.
 *
 * Keys may arrive in any portions, so a Ctrl-A is remembered until the next byte.
 */

const CTRL_A = 0x01;

export const ESCAPE_HELP =
  '\r\nCtrl-A x  quit\r\nCtrl-A h  this help\r\nCtrl-A Ctrl-A  send Ctrl-A\r\n';

export interface FilteredKeys {
  /** For the guest. */
  readonly bytes: Uint8Array;
  readonly quit: boolean;
  readonly help: boolean;
}

export class EscapeKeys {
  private escaped = false;

  /** What is typed after a quit is dropped. */
  filter(typed: Uint8Array): FilteredKeys {
    const passed: number[] = [];
    let help = false;
    for (const byte of typed) {
      if (!this.escaped) {
        if (byte === CTRL_A) this.escaped = true;
        else passed.push(byte);
        continue;
      }
      this.escaped = false;
      const key = String.fromCharCode(byte).toLowerCase();
      if (key === 'x') return { bytes: Uint8Array.from(passed), quit: true, help };
      if (key === 'h' || key === '?') help = true;
      else if (byte === CTRL_A) passed.push(CTRL_A);
    }
    return { bytes: Uint8Array.from(passed), quit: false, help };
  }
}
