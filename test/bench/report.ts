/**
 * Tables for a reader: columns as wide as their widest cell, numbers to the right.
 */

export interface Column {
  readonly title: string;
  readonly align: 'left' | 'right';
  /** At least this wide, so that rows can be printed before all are known. */
  readonly width: number;
}

export function tableRow(columns: readonly Column[], cells: readonly string[]): string {
  return columns
    .map(({ align, width }, index) => {
      const cell = cells[index] ?? '';
      return align === 'left' ? cell.padEnd(width) : cell.padStart(width);
    })
    .join('  ')
    .trimEnd();
}

export function seconds(value: number): string {
  return value.toFixed(2);
}

/** How many times as fast. */
export function times(value: number): string {
  return `${value.toFixed(2)}x`;
}

export function megabytes(bytes: number): string {
  return bytes === 0 ? '?' : (bytes / 1e6).toFixed(0);
}
