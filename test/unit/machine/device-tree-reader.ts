/**
 * Reads a flattened device tree into paths and properties, so that tests compare trees and not
 * bytes. It is written against the Devicetree Specification, not against the writer under test.
 */

export type Properties = ReadonlyMap<string, Uint8Array>;

/** Nodes by path ("/soc/serial@10000000"), each with its properties. */
export function readDeviceTree(blob: Uint8Array): ReadonlyMap<string, Properties> {
  const view = new DataView(blob.buffer, blob.byteOffset, blob.length);
  const word = (at: number): number => view.getUint32(at);
  if (word(0) !== 0xd00d_feed) throw new Error('not a device tree');
  if (word(4) > blob.length) throw new Error('the device tree is truncated');
  const strings = word(12);
  const nodes = new Map<string, Map<string, Uint8Array>>();
  const open: string[] = [];
  let at = word(8);
  for (;;) {
    const token = word(at);
    at += 4;
    if (token === 1) {
      const name = textAt(blob, at);
      at += Math.ceil((name.length + 1) / 4) * 4;
      open.push(name);
      nodes.set(pathOf(open), new Map());
    } else if (token === 2) {
      open.pop();
    } else if (token === 3) {
      const length = word(at);
      const name = textAt(blob, strings + word(at + 4));
      nodes.get(pathOf(open))?.set(name, blob.slice(at + 8, at + 8 + length));
      at += 8 + Math.ceil(length / 4) * 4;
    } else if (token === 9) {
      return nodes;
    } else if (token !== 4) {
      throw new Error(`unknown token ${token}`);
    }
  }
}

function pathOf(open: readonly string[]): string {
  return open.join('/') || '/';
}

function textAt(blob: Uint8Array, at: number): string {
  return new TextDecoder('latin1').decode(blob.subarray(at, blob.indexOf(0, at)));
}

export function cellsOf(value: Uint8Array | undefined): number[] {
  if (value === undefined) return [];
  const view = new DataView(value.buffer, value.byteOffset, value.length);
  return Array.from({ length: value.length / 4 }, (_, index) => view.getUint32(index * 4));
}

export function textsOf(value: Uint8Array | undefined): string[] {
  return new TextDecoder('latin1').decode(value).split('\0').slice(0, -1);
}
