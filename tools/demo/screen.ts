/**
 * What the demonstration shows: plain lines that scroll, and on a terminal one line that is drawn
 * over. Colour only on a terminal and without NO_COLOR.
 */

import { performance } from 'node:perf_hooks';

const COLOURS = { red: 31, green: 32, yellow: 33, cyan: 36, dim: 2, bold: 1 } as const;

export class Screen {
  private readonly isTerminal = process.stdout.isTTY;
  private readonly hasColour = this.isTerminal && process.env['NO_COLOR'] === undefined;
  private readonly startMs = performance.now();
  private hasLive = false;

  paint(colour: keyof typeof COLOURS, text: string): string {
    return this.hasColour ? `\x1b[${COLOURS[colour]}m${text}\x1b[0m` : text;
  }

  /** A line with the time since the start. */
  say(text: string): void {
    const seconds = ((performance.now() - this.startMs) / 1000).toFixed(2).padStart(7);
    this.line(`${this.paint('dim', `${seconds}s`)}  ${text}`);
  }

  line(text = ''): void {
    this.clearLive();
    process.stdout.write(`${text}\n`);
  }

  /** Drawn over by the next one; nothing where there is no terminal. */
  live(text: string): void {
    if (!this.isTerminal) return;
    process.stdout.write(`\r\x1b[K          ${text}`);
    this.hasLive = true;
  }

  private clearLive(): void {
    if (!this.hasLive) return;
    process.stdout.write('\r\x1b[K');
    this.hasLive = false;
  }
}
