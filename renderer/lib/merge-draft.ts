type Plain = Readonly<Record<string, unknown>>;

const isPlain = (value: unknown): value is Plain => typeof value === 'object' && value !== null && !Array.isArray(value);

/** Whether two values hold the same, whatever the order of their fields. Lists are compared item by item. */
export function sameSettings(one: unknown, other: unknown): boolean {
  if (isPlain(one) && isPlain(other)) return [...new Set([...Object.keys(one), ...Object.keys(other)])].every((key) => sameSettings(one[key], other[key]));
  if (Array.isArray(one) && Array.isArray(other)) return one.length === other.length && one.every((item, index) => sameSettings(item, other[index]));
  return Object.is(one, other);
}

/**
 * A form that is being filled in while its values change elsewhere: fields that the person changed keep what was typed, all others show
 * `incoming`. `base` is what the form started from. A list is one field.
 */
export function mergeDraft<T>({ base, draft, incoming }: { readonly base: T; readonly draft: T; readonly incoming: T }): T {
  if (!isPlain(base) || !isPlain(draft) || !isPlain(incoming)) return sameSettings(draft, base) ? incoming : draft;
  const merged = Object.fromEntries(Object.keys(incoming).map((key) => [key, mergeDraft({ base: base[key], draft: draft[key], incoming: incoming[key] })]));
  return merged as T;
}
