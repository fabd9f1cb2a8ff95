/** Goal: a replica that is behind is waited for while it moves, and no longer. */

import test from 'ava';
import { whenItStands } from '../../../backup/last-replay.js';

test('a replica is waited for as long as it moves, and not when it stands', async (t) => {
  let looks = 0;
  const moves = 20;
  await new Promise<void>((resolve) => {
    whenItStands(() => String(Math.min(looks++, moves)), resolve, 1);
  });
  t.is(looks, moves + 2, 'the first look that found nothing new');
});
