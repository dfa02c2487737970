/**
 * Runs works at the same time and resolves to all their results. When one fails, the others are cancelled and waited for, so that none goes on
 * behind an error; throws what failed first.
 */
export async function sideBySide<const T extends readonly ((signal: AbortSignal) => Promise<unknown>)[]>(works: T, signal: AbortSignal | undefined): Promise<{ -readonly [K in keyof T]: Awaited<ReturnType<T[K]>> }> {
  const failed = new AbortController();
  const both = signal === undefined ? failed.signal : AbortSignal.any([signal, failed.signal]);
  let first: { readonly error: unknown } | null = null;
  const ended = await Promise.all(works.map((work) => work(both).catch((error: unknown) => {
    first ??= { error };
    failed.abort();
    return undefined;
  })));
  if (first !== null) throw (first as { readonly error: unknown }).error;
  return ended as { -readonly [K in keyof T]: Awaited<ReturnType<T[K]>> };
}
