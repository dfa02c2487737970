import { beforeEach, describe, expect, it } from 'vitest';
import type { ArchiveScan } from '#shared/archive-contract.ts';
import type { AuditEvent } from '#shared/contract.ts';
import { VesselError } from '#shared/errors.ts';
import type { Revision } from '#shared/project.ts';
import type { ServiceContext } from '../context.ts';
import { secretWarner } from './secret-warner.ts';

describe('what is told before a revision goes to a cloud', () => {
  let events: Omit<AuditEvent, 'id'>[];
  let log: string[];
  let paths: readonly string[] | VesselError;
  const context = (): Pick<ServiceContext, 'store' | 'runtime'> => ({ store: { events: { add: (event: Omit<AuditEvent, 'id'>) => { events.push(event); return { ...event, id: 1 }; } } }, runtime: { now: () => 1, log: (line: string) => log.push(line) } }) as unknown as Pick<ServiceContext, 'store' | 'runtime'>;
  const scan = (): Promise<ArchiveScan> => paths instanceof VesselError ? Promise.reject(paths) : Promise.resolve({ rev: 1, files: 9, secrets: paths.map((path) => ({ path, kind: 'key', line: 1, hint: '' })), large: [], more: false });
  const revision = (rev: number): Revision => ({ projectId: 'shop', rev } as Revision);
  const signal = new AbortController().signal;
  beforeEach(() => { events = []; log = []; });

  it('names the files, once as long as they are the same, and again when others come', async () => {
    const look = secretWarner(context(), scan);
    paths = [];
    await look(revision(1), signal);
    paths = ['.env', '.env', 'id_rsa', 'a.pem', 'b.pem'];
    await look(revision(2), signal);
    await look(revision(3), signal);
    paths = ['.env'];
    await look(revision(4), signal);
    expect(events.map(({ kind, projectId, text }) => [kind, projectId, text.split('.')[0], /and 1 more/.test(text)])).toEqual([['cloud.secrets', 'shop', 'Revision 2 goes to the cloud with what looks like secrets: ', true], ['cloud.secrets', 'shop', 'Revision 4 goes to the cloud with what looks like secrets: ', false]]);
    expect(JSON.stringify(events)).not.toContain('"line"');
  });

  it('never keeps a save from the cloud because it could not look', async () => {
    paths = new VesselError('ARCHIVE_CORRUPT', 'cut off');
    await secretWarner(context(), scan)(revision(1), signal);
    expect([events, log]).toEqual([[], ['shop: revision 1 was not searched for secrets: cut off']]);
  });
});
