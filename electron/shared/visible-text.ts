/** C0 but tab and newline, DEL, C1, what turns the direction of a text, and what takes no place but the joiners of scripts and emoji. */
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;
/** Unicode has a picture of each C0 control, one column wide: what is shown keeps its length. */
const PICTURES = 0x2400;
const PICTURE_OF_DELETE = '\u2421';
const UNNAMED = '\ufffd';

/**
 * Text of a guest, an archive or a name with its control characters shown and not sent (`␛` for escape): it cannot move the
 * cursor, recolor or retitle a terminal, nor reverse what stands beside it. Newlines and tabs stay. The length is kept.
 */
export function visible(text: string): string {
  return text.replace(CONTROL, (character) => {
    const code = character.charCodeAt(0);
    return code < 0x20 ? String.fromCharCode(PICTURES + code) : code === 0x7f ? PICTURE_OF_DELETE : UNNAMED;
  });
}

/** The same on one line; never longer than `text`. */
export const visibleLine = (text: string): string => visible(text.replace(/[\n\t]+/g, ' '));

/** The first `max` UTF-16 units of a text, whole characters only, ending in `…` when something is missing. */
export function clamp(text: string, max: number): string {
  if (text.length <= max) return text.toWellFormed();
  // A pair that was cut apart is replaced by toWellFormed; half a character says nothing.
  const cut = text.slice(0, max - 1);
  return `${/[\ud800-\udbff]$/.test(cut) ? cut.slice(0, -1) : cut}…`.toWellFormed();
}
