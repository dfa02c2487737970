import type { Readable } from 'node:stream';
import yauzl from 'yauzl';

export type Entry = {
  readonly name: string;
  readonly externalFileAttributes: number;
  /** From the extended timestamp field, Unix milliseconds (whole seconds). */
  readonly mtimeMs: number;
  read(): Promise<Readable>;
};

/** Visits every entry of a zip file in order. Names with backslashes are legal on Linux and kept. */
export function openPromise(file: string, visit: (entry: Entry) => Promise<void>): Promise<void> {
  return new Promise((resolve, reject) => {
    yauzl.open(file, { lazyEntries: true, strictFileNames: true, validateEntrySizes: true, decodeStrings: false }, (error, zip) => {
      if (error !== null) { reject(error); return; }
      zip.on('error', reject);
      zip.on('end', () => resolve());
      zip.on('entry', (entry: yauzl.Entry) => {
        const name = (entry.fileName as unknown as Buffer).toString('utf8');
        const read = (): Promise<Readable> => new Promise((done, fail) => {
          zip.openReadStream(entry, (problem, stream) => { if (problem !== null) fail(problem); else done(stream); });
        });
        visit({ name, externalFileAttributes: entry.externalFileAttributes, mtimeMs: extendedTimestamp(entry), read })
          .then(() => zip.readEntry(), reject);
      });
      zip.readEntry();
    });
  });
}

function extendedTimestamp(entry: yauzl.Entry): number {
  const field = entry.extraFields.find((candidate) => candidate.id === 0x5455);
  return field === undefined ? entry.getLastModDate().getTime() : field.data.readInt32LE(1) * 1000;
}
