import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** The folder by which a test sets traps in Vessel and infra-agent (`VESSEL_FAULT=@folder`). */
export class Traps {
  readonly folder: string;
  constructor(folder: string) { this.folder = folder; }
  async prepare(): Promise<void> { await mkdir(this.folder, { recursive: true }); await this.clear(); }
  /** Forgets what has been passed. */
  async clear(): Promise<void> { await writeFile(join(this.folder, 'trace'), ''); }
  async passed(): Promise<readonly string[]> { return [...new Set((await readFile(join(this.folder, 'trace'), 'utf8')).split('\n').filter((line) => line !== ''))]; }
  async set(point: string, how: 'stop' | 'kill' | 'throw'): Promise<void> { await writeFile(join(this.folder, 'trap'), `${point}:${how}`); }
  async unset(): Promise<void> { await rm(join(this.folder, 'trap'), { force: true }); }
}
