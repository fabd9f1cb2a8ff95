/**
 * Gathers what a session records until it is worth a message between threads, and estimates what
 * it costs whoever holds it.
 *
 * The estimate need not be exact: it bounds memory between two threads, so it counts every byte of
 * payload and a flat price for each object.
 */

import { unreachable } from '../base/assert.js';
import type { LogEntry, LogEvent } from '../event/event.js';
import type { LoggedInput, Recorded, RecordedOutput } from '../session/recorded.js';

const OBJECT_BYTES = 64;
const NUMBER_PAIR_BYTES = 16;

export class ReportBatch {
  private entries: LogEntry[] = [];
  private outputs: RecordedOutput[] = [];
  private inputs: LoggedInput[] = [];
  costBytes = 0;

  add(recorded: Recorded): void {
    for (const entry of recorded.entries) {
      this.entries.push(entry);
      this.costBytes += OBJECT_BYTES + payloadBytes(entry.event);
    }
    for (const output of recorded.outputs) {
      this.outputs.push(output);
      this.costBytes += OBJECT_BYTES + output.bytes.length;
    }
    for (const input of recorded.inputs) {
      this.inputs.push(input);
      this.costBytes += OBJECT_BYTES;
    }
  }

  isEmpty(): boolean {
    return this.costBytes === 0;
  }

  /** Somebody outside waits for it. */
  isUrgent(): boolean {
    return this.outputs.length > 0 || this.inputs.length > 0;
  }

  take(): Recorded {
    const { entries, outputs, inputs } = this;
    this.entries = [];
    this.outputs = [];
    this.inputs = [];
    this.costBytes = 0;
    return { entries, outputs, inputs };
  }
}

function payloadBytes(event: LogEvent): number {
  switch (event.kind) {
    case 'console-input':
    case 'entropy':
    case 'frame':
      return event.bytes.length;
    case 'state-hash':
      return (event.words.length + (event.pages?.length ?? 0)) * NUMBER_PAIR_BYTES;
    case 'steal':
      return event.victims.length * NUMBER_PAIR_BYTES;
    case 'epoch':
    case 'rebase':
    case 'wake':
    case 'interrupt':
    case 'output-mark':
    case 'horizon':
    case 'control':
      return 0;
    default:
      return unreachable(event);
  }
}
