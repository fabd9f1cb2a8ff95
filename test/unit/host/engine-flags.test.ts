/**
 * Goal: the flags are ones that this V8 knows.
 * Method: set, and look at what they make possible.
 */

import test from 'ava';
import { setEngineFlags } from '../../../lib/host/engine-flags.js';
import { local, ret } from '../../../lib/wasm/ir.js';
import { ModuleBuilder } from '../../../lib/wasm/module.js';
import { f64 } from '../../../lib/wasm/ops.js';

declare const WebAssembly: { validate: (bytes: Uint8Array) => boolean };

test('a module with a relaxed multiply-add is valid once the flags are set', (t) => {
  const module = new ModuleBuilder({ initialPages: 1, maximumPages: 1 });
  const params = [local('f64'), local('f64'), local('f64')] as const;
  const signature = { name: 'run', params: ['f64', 'f64', 'f64'], result: 'f64' } as const;
  module.define(signature, params, [ret(f64.multiplyAdd(...params))]);
  setEngineFlags();
  t.true(WebAssembly.validate(module.finish()));
});
