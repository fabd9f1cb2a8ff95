/**
 * Splits TypeScript into code and comments, so that a rule about names does not trip over prose,
 * and a rule about prose does not trip over names.
 *
 * Both results keep every line break, so a line number in one is a line number in the file. In
 * `code`, comments are gone and each string's text is replaced by its index in `strings`; the
 * expressions inside a template stay code. In `comments`, everything else is blank.
 */

export interface SplitSource {
  readonly code: string;
  readonly comments: string;
  readonly strings: readonly string[];
}

/** A slash after one of these begins a regular expression, after anything else it divides. */
const BEFORE_REGULAR_EXPRESSION = /(?:^|[(,=:[!&|?{};+\-*%<>~^]|\b(?:return|case|of|in|typeof))$/;

class Splitter {
  readonly strings: string[] = [];
  code = '';
  comments = '';
  private at = 0;
  /** Depth of braces at which each open template expression ends. */
  private readonly templates: number[] = [];
  private depth = 0;
  private readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  split(): SplitSource {
    while (this.at < this.text.length) this.next();
    return { code: this.code, comments: this.comments, strings: this.strings };
  }

  private next(): void {
    const two = this.text.slice(this.at, this.at + 2);
    const one = two.charAt(0);
    if (two === '//') this.comment(this.endOf('\n', 0));
    else if (two === '/*') this.comment(this.endOf('*/', 2));
    else if (one === "'" || one === '"') this.string(one);
    else if (one === '`') this.template();
    else if (one === '/' && BEFORE_REGULAR_EXPRESSION.test(this.code.trimEnd())) this.regular();
    else if (one === '}' && this.templates.at(-1) === this.depth) this.resumeTemplate();
    else this.plain(one);
  }

  private plain(one: string): void {
    if (one === '{') this.depth++;
    if (one === '}') this.depth--;
    this.code += one;
    this.comments += one === '\n' ? '\n' : ' ';
    this.at++;
  }

  private endOf(mark: string, extra: number): number {
    const end = this.text.indexOf(mark, this.at + extra);
    return end < 0 ? this.text.length : end + extra;
  }

  private comment(end: number): void {
    const text = this.text.slice(this.at, end);
    this.comments += text;
    this.code += text.replace(/[^\n]/g, ' ');
    this.at = end;
  }

  private string(quote: string): void {
    let end = this.at + 1;
    while (end < this.text.length && this.text[end] !== quote) {
      end += this.text[end] === '\\' ? 2 : 1;
    }
    this.literal(quote, this.text.slice(this.at + 1, end), quote);
    this.at = end + 1;
  }

  private regular(): void {
    let end = this.at + 1;
    let inClass = false;
    while (end < this.text.length && (inClass || this.text[end] !== '/')) {
      if (this.text[end] === '[') inClass = true;
      if (this.text[end] === ']') inClass = false;
      end += this.text[end] === '\\' ? 2 : 1;
    }
    this.literal('"', this.text.slice(this.at + 1, end), '"');
    this.at = end + 1;
  }

  private template(): void {
    this.at++;
    this.templateText('`');
  }

  private resumeTemplate(): void {
    this.templates.pop();
    this.at++;
    this.templateText('}');
  }

  /** The text of a template up to its end or to the next `${`. */
  private templateText(opening: string): void {
    let end = this.at;
    while (end < this.text.length && this.text[end] !== '`' && !this.text.startsWith('${', end)) {
      end += this.text[end] === '\\' ? 2 : 1;
    }
    const isEnd = this.text[end] === '`';
    this.literal(opening, this.text.slice(this.at, end), isEnd ? '`' : '${');
    this.at = end + (isEnd ? 1 : 2);
    if (!isEnd) this.templates.push(this.depth);
  }

  private literal(opening: string, text: string, closing: string): void {
    const breaks = text.replace(/[^\n]/g, '');
    this.code += `${opening}${this.strings.length}${closing}${breaks}`;
    this.comments += breaks;
    this.strings.push(text);
  }
}

export function splitSource(text: string): SplitSource {
  return new Splitter(text).split();
}
