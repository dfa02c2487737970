import { readFileSync } from 'node:fs';
import { z } from 'zod';

/** The version of this Vessel, as the package.json two folders up states it (the same distance from `out/server/` as from the sources). */
export const VERSION: string = z.object({ version: z.string() }).parse(JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))).version;
