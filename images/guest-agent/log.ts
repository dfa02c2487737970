/** One line on stderr, which the image's init sends to the serial console. Never give it secrets. */
export function log(text: string): void {
  process.stderr.write(`vessel-agent: ${text}\n`);
}

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** The errno name of a failed system call (`ENOENT` …), else ''. */
export function errnoOf(error: unknown): string {
  if (!(error instanceof Error)) return '';
  const { code } = error as { readonly code?: unknown };
  return typeof code === 'string' ? code : '';
}
