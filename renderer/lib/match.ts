/**
 * How well `text` answers `query`: 0 = not at all. Every word must occur; a word at the start of a word counts more, and a
 * shorter text wins among equals.
 */
export function matchScore(text: string, query: string): number {
  const haystack = text.toLowerCase();
  const words = query.toLowerCase().split(/\s+/).filter((word) => word !== '');
  let score = 1;
  for (const word of words) {
    const at = haystack.indexOf(word);
    if (at < 0) return 0;
    const startsWord = at === 0 || /[\s\-_/:]/.test(haystack[at - 1] ?? '');
    score += startsWord ? 3 : 1;
  }
  return words.length === 0 ? 1 : score + 1 / (1 + haystack.length);
}
