/**
 * Writing answers to stdout: many lines in few writes, at the pace of whoever reads them.
 */

import { once } from 'node:events';

const PIECE_CHARACTERS = 64 * 1024;

/** Writes each text and a line feed. Memory stays bounded however slow the reader is. */
export async function writeLines(lines: Iterable<string>): Promise<void> {
  let piece = '';
  try {
    for (const line of lines) {
      piece += `${line}\n`;
      if (piece.length < PIECE_CHARACTERS) continue;
      const full = piece;
      piece = '';
      if (!process.stdout.write(full)) await once(process.stdout, 'drain');
    }
  } finally {
    // Where the source fails in the middle, what came before it is still the answer.
    if (piece !== '') process.stdout.write(piece);
  }
}

/** One JSON object in one line; 64-bit numbers become decimal strings, as in protobuf's JSON. */
export function toJsonLine(value: unknown): string {
  return JSON.stringify(value, (_, item: unknown) =>
    typeof item === 'bigint' ? item.toString() : item,
  );
}
