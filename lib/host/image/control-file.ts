/**
 * Debian control paragraphs ("deb822"): `Field: value` lines, continuation lines indented, an
 * empty line between paragraphs. Package indexes, Release files and `.sources` files are written
 * so.
 *
 * Field names are compared without case. It reads only; it never decides what a field means.
 */

export class ControlParagraph {
  private readonly fields: ReadonlyMap<string, string>;

  constructor(fields: ReadonlyMap<string, string>) {
    this.fields = fields;
  }

  /** The value, its continuation lines joined by line feeds; undefined where it is absent. */
  get(field: string): string | undefined {
    return this.fields.get(field.toLowerCase());
  }

  /** The words of a value, none where it is absent. */
  words(field: string): readonly string[] {
    return (this.get(field) ?? '').split(/\s+/).filter((word) => word !== '');
  }
}

/** Comment lines begin with `#` and may stand inside a paragraph. */
export function parseControlFile(text: string): ControlParagraph[] {
  const paragraphs: ControlParagraph[] = [];
  let fields = new Map<string, string>();
  let last: string | undefined;
  const close = (): void => {
    if (fields.size > 0) paragraphs.push(new ControlParagraph(fields));
    fields = new Map();
    last = undefined;
  };
  for (const line of text.split('\n')) {
    if (line.startsWith('#')) continue;
    if (line.trim() === '') {
      close();
    } else if (/^[ \t]/.test(line)) {
      if (last !== undefined) fields.set(last, `${fields.get(last) ?? ''}\n${line.trim()}`);
    } else {
      const colon = line.indexOf(':');
      if (colon < 0) continue;
      last = line.slice(0, colon).toLowerCase();
      fields.set(last, line.slice(colon + 1).trim());
    }
  }
  close();
  return paragraphs;
}
