/**
 * What a switch connects its machines to: the gateway that stands for a network, or a network.
 */
export interface Outside {
  /** A frame from a machine. */
  take(frame: Uint8Array): void;
  /** A machine is behind one of the ports now; its card's address, null if it has told none. */
  pluggedIn(mac: number | null): void;
  close(): void;
}
