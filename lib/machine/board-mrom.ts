/** The reset vector as a device: bytes that are read and never change. */

import type { MmioDevice } from '../device/port.js';
import { MROM } from './memory-map.js';

export function mromDevice(content: Uint8Array): MmioDevice {
  const view = new DataView(content.buffer, content.byteOffset);
  return {
    name: 'mrom',
    base: MROM.base,
    sizeBytes: content.length,
    read: (offset, bytes) => {
      let value = 0n;
      for (let index = bytes - 1; index >= 0; index--) {
        value = (value << 8n) | BigInt(view.getUint8(offset + index));
      }
      return value;
    },
    write: () => undefined,
  };
}
