// C0 but the newline, DEL, C1, and the marks and overrides of the reading direction.
const CONTROL = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** One fact of an error for people: its name in words and its value as text. */
export type Evidence = { readonly name: string; readonly value: string };

/** The details of an error as rows: lists in one line, empty ones left out, names in words. */
export function evidenceOf(details: Readonly<Record<string, unknown>>): readonly Evidence[] {
  return Object.entries(details).flatMap(([key, value]) => {
    const text = textOf(value);
    return text === '' ? [] : [{ name: inWords(key), value: text }];
  });
}

function textOf(value: unknown): string {
  if (value === null || value === undefined) return '';
  if (Array.isArray(value)) return value.map(textOf).filter((text) => text !== '').join(', ');
  if (typeof value === 'object') {
    const place = placeText(value as Readonly<Record<string, unknown>>);
    return place ?? Object.entries(value).map(([key, inner]) => `${inWords(key)} ${textOf(inner)}`).join(', ');
  }
  return typeof value === 'string' ? printable(value) : JSON.stringify(value);
}

/** `~/.ssh/known_hosts:4 (ssh-ed25519)`: how editors and compilers name a line. */
function placeText({ file, line, type }: Readonly<Record<string, unknown>>): string | null {
  if (typeof file !== 'string' || typeof line !== 'number') return null;
  return `${file}:${line}${typeof type === 'string' ? ` (${type})` : ''}`;
}

/** `stillWanted` → `still wanted`. */
function inWords(key: string): string {
  return key.replace(/([a-z0-9])([A-Z])/g, (_all, before: string, after: string) => `${before} ${after.toLowerCase()}`);
}

/** Text of a foreign machine without what could move a cursor or turn the reading direction; line breaks stay. */
export function printable(text: string): string {
  return text.replace(/\r\n?/g, '\n').replace(CONTROL, '');
}
