/** The system's error name (`ENOENT`, `ESRCH` …), or null when this is another kind of error. */
export function errnoOf(error: unknown): string | null {
  if (!(error instanceof Error)) return null;
  const code = (error as { readonly code?: unknown }).code;
  return typeof code === 'string' ? code : null;
}
