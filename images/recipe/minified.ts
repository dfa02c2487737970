/** Any name that a minifier gives: part of the source of a place. */
export const NAME = String.raw`[\w$]+`;

/** A place in a program of VS Code as its minifier leaves it, and what stands there instead. */
export type Change = { readonly place: RegExp; readonly instead: string };

/** What decides the outcome besides the program itself: part of the image's key. */
export const changeInputs = (groups: readonly (readonly Change[])[]): readonly unknown[] => groups.flat().map(({ place, instead }) => [place.source, instead]);

/**
 * Changes a program, group by group: all places of a group or, where one of them is not there exactly once, none. Null where nothing was changed: another
 * version then is as it comes.
 */
export function changeMinified(text: string, groups: readonly (readonly Change[])[]): string | null {
  const changed = groups.reduce((before, group) => group.every(({ place }) => isThereOnce(before, place)) ? group.reduce((now, { place, instead }) => now.replace(place, instead), before) : before, text);
  return changed === text ? null : changed;
}

const isThereOnce = (text: string, { source }: RegExp): boolean => [...text.matchAll(new RegExp(source, 'g'))].length === 1;
