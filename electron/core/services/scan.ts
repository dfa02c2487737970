import type { ArchiveScan } from '#shared/archive-contract.ts';
import { VesselError } from '#shared/errors.ts';
import { looksBinary } from '../domain/line-finder.ts';
import { findSecrets, secretName } from '../domain/secret-patterns.ts';
import type { Archives } from './archives.ts';

/** Keys are short files or lines in files that people write; larger ones are data. */
const MAX_SCANNED_BYTES = 2 * 1024 * 1024;
/** More than this is a pattern that misfires, or a vault; either way the first ones say it. */
const MAX_FINDINGS = 500;

/** What a person may not want to leave this computer: secrets, and files larger than a store takes. */
export function scanRevision(archives: Archives, projectId: string, rev: number | undefined, maxFileBytes: number | null, signal: AbortSignal): Promise<ArchiveScan> {
  return archives.use(projectId, rev, signal, async (archive, number) => {
    const scan: ArchiveScan = { rev: number, files: 0, secrets: [], large: [], more: false };
    for (const { path, kind, size } of archive.entries) {
      if (signal.aborted) throw new VesselError('CANCELLED');
      if (kind !== 'file') continue;
      if (maxFileBytes !== null && size > maxFileBytes) scan.large.push({ path, size });
      const named = secretName(path);
      if (named !== null) scan.secrets.push({ path, kind: named, line: null, hint: '' });
      if (size > 0 && size <= MAX_SCANNED_BYTES) {
        const bytes = await archive.read(path, { maxBytes: MAX_SCANNED_BYTES, signal });
        scan.files += 1;
        if (!looksBinary(bytes)) for (const { kind: form, line, hint } of findSecrets(bytes.toString('utf8'))) scan.secrets.push({ path, kind: form, line, hint });
      }
      if (scan.secrets.length > MAX_FINDINGS) return { ...scan, secrets: scan.secrets.slice(0, MAX_FINDINGS), more: true };
    }
    return scan;
  });
}
