import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { runDirectory, serverFilePath } from '#shared/paths.ts';
import { ServerFileSchema, type ServerFile } from '#shared/server-file.ts';

/** Tells the other doors where this server answers. Whole or absent, readable by this user alone. */
export async function writeServerRecord(home: string, record: ServerFile): Promise<void> {
  await mkdir(runDirectory(home), { recursive: true, mode: 0o700 });
  const temporary = `${serverFilePath(home)}.${process.pid}`;
  await writeFile(temporary, `${JSON.stringify(record)}\n`, { mode: 0o600 });
  await rename(temporary, serverFilePath(home));
}

/** Null when there is none, or it is not one. */
export async function readServerRecord(home: string): Promise<ServerFile | null> {
  try {
    return ServerFileSchema.parse(JSON.parse(await readFile(serverFilePath(home), 'utf8')));
  } catch {
    return null; // missing, half-written by a foreign hand, or of another version: no server can be found through it
  }
}

export async function removeServerRecord(home: string): Promise<void> {
  await rm(serverFilePath(home), { force: true });
}
