import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { isErrno } from '../../cold-local/files.ts';

/**
 * The workbench's page, written beside the IDE's files by the host that built the template, out of a machine nobody had used yet: no
 * guest of a project ever decides what another environment's browser is shown. It differs between visits in its nonce, and with some servers in the host it names.
 */
const RecordedPageSchema = z.object({
  format: z.literal(1),
  /** Path and query by which the server answered with it. */
  url: z.string().startsWith('/'),
  /** Stands where the environment's `Host` belongs, if anywhere. */
  host: z.string().min(8),
  html: z.string(),
  policy: z.string(),
});
export type RecordedPage = z.infer<typeof RecordedPageSchema>;

/** Null when the folder has none (images of an older Vessel) or one of a form that this Vessel does not know: a workbench then only loads a moment later. */
export async function readRecordedPage(directory: string): Promise<RecordedPage | null> {
  try {
    return RecordedPageSchema.parse(JSON.parse(await readFile(join(directory, 'workbench-page.json'), 'utf8')));
  } catch (error) {
    if (isErrno(error, 'ENOENT') || error instanceof SyntaxError || error instanceof z.ZodError) return null;
    throw error;
  }
}

const NONCE = /'nonce-([A-Za-z0-9+/_=-]+)'/;

/** The page as the environment at `host` would have answered it, with a nonce of its own. */
export function pageFor({ url, host: placeholder, html, policy }: RecordedPage, host: string): { readonly url: string; readonly html: string; readonly policy: string } {
  const recorded = NONCE.exec(policy)?.[1];
  const nonce = randomBytes(16).toString('base64url');
  const moved = (text: string): string => (recorded === undefined ? text : text.replaceAll(recorded, nonce)).replaceAll(placeholder, host);
  return { url, html: moved(html), policy: moved(policy) };
}
