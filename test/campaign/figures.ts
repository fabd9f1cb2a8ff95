/**
 * `npm run campaign:figures -- [ID]...`: measures the figures of a pair and compares them with
 * what docs/SPECIFICATION.md promises. Exit status 1 if one falls short.
 */

import { LockstepError } from '../../lib/base/error.js';
import type { Arguments, Command } from '../../tools/command.js';
import { toJsonLine } from '../../tools/output.js';
import { runCampaign } from '../support/campaign-main.js';
import {
  currentLoad,
  DEFAULT_FIGURE_OPTIONS,
  FIGURES,
  type Figure,
} from '../support/campaign-figures.js';

const command: Command = {
  usage: ['campaign:figures -- [ID]... [--kills N] [--seed S] [--samples N] [--json]'],
  description: `Measures the figures of a pair: ${Object.keys(FIGURES).join(', ')}.`,
  options: {
    kills: { type: 'string', value: 'N', help: 'kills for the failover time (20)' },
    seed: { type: 'string', value: 'S', help: 'of their moments (1)' },
    samples: { type: 'string', value: 'N', help: 'answers to time for a delay (2000)' },
    json: { type: 'boolean', help: 'one JSON object a figure' },
  },
  positionals: { min: 0, max: Object.keys(FIGURES).length },
  run: measure,
};

async function measure(args: Arguments): Promise<number> {
  const options = {
    ...DEFAULT_FIGURE_OPTIONS,
    kills: args.integer('kills', 1, 1_000_000) ?? DEFAULT_FIGURE_OPTIONS.kills,
    seed: args.integer('seed', 0, 0xffff_ffff) ?? DEFAULT_FIGURE_OPTIONS.seed,
    samples: args.integer('samples', 1, 1_000_000) ?? DEFAULT_FIGURE_OPTIONS.samples,
  };
  const wanted = args.positionals.length > 0 ? args.positionals : Object.keys(FIGURES);
  let isKept = true;
  for (const id of wanted) {
    const figure = FIGURES[id];
    if (figure === undefined) {
      throw new LockstepError('USAGE', `no figure "${id}"; ${command.description}`);
    }
    for (const one of await figure(options)) {
      if (one.limit !== null && one.value > one.limit) isKept = false;
      report(args, id, one);
    }
  }
  return isKept ? 0 : 1;
}

function report(args: Arguments, id: string, figure: Figure): void {
  const { name, unit, value, limit } = figure;
  const load = currentLoad();
  if (args.flag('json')) {
    process.stdout.write(`${toJsonLine({ id, ...figure, load })}\n`);
    return;
  }
  const promise =
    limit === null ? '' : `  (at most ${limit}: ${value <= limit ? 'kept' : 'FALLS SHORT'})`;
  const shown = Number.isInteger(value) ? String(value) : value.toPrecision(3);
  process.stdout.write(`${id.padEnd(17)}  ${name}: ${shown} ${unit}${promise}\n`);
}

await runCampaign(command);
