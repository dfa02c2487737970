import type { Device } from '../../ports/cloud.ts';
import type { RemoteBackend, UploadJournal } from '../../ports/remote-store.ts';
import { makeLeftovers } from '../remote/leftovers.ts';
import { listArchives, makeS3Archives } from './archives.ts';
import { S3Client, type S3Access } from './client.ts';
import { makeS3Index } from './index-objects.ts';

/** Archives and rows in one bucket of any S3-compatible server. */
export function makeS3Backend(access: S3Access, device: Device, journal: UploadJournal, spool: string): RemoteBackend {
  const client = new S3Client(access);
  const archives = makeS3Archives({ client, journal, spool });
  const index = makeS3Index(client, device);
  return { kind: 's3', archives, index, leftovers: makeLeftovers(() => listArchives(client), index, archives) };
}
