import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import type { Client } from '#shared/contract.ts';
import { kill9, processesTouching, socketFolder, unlessGone } from './processes.ts';
import { openPromise } from './zip.ts';

/** Names that only unfinished work has. */
const TEMPORARY = /(?:^\.put-|^\.manifest-|\.tmp$|\.part$|^upload-|\.building-)/;

const filesBelow = async (folder: string): Promise<readonly string[]> => (await unlessGone(() => readdir(folder, { recursive: true }))) ?? [];

/** Unfinished files below the state folder, apart from what lives inside guests' own folders. */
export async function temporaryFiles(home: string): Promise<readonly string[]> {
  return (await filesBelow(home)).filter((path) => !path.startsWith('host/vms/') && TEMPORARY.test(path.split('/').at(-1) ?? ''));
}

/** What is left on the host of VMs that should be gone: records with their disks, routes, sockets, processes. */
export async function remainsOf(home: string, projectIds: readonly string[], allowed: readonly number[]): Promise<readonly string[]> {
  const sockets = projectIds.map((id) => socketFolder(home, id));
  const processes = (await processesTouching([`${home}/`, ...sockets])).filter(({ pid }) => !allowed.includes(pid));
  return [
    ...(await filesBelow(join(home, 'host', 'vms'))).map((path) => `vms/${path}`),
    ...(await filesBelow(join(home, 'host', 'traefik'))).map((path) => `traefik/${path}`),
    ...(await Promise.all(sockets.map(async (folder) => await unlessGone(() => readdir(folder)) === null ? [] : [folder]))).flat(),
    ...processes.map(({ pid, command }) => `process ${pid}: ${command.slice(0, 200)}`),
  ];
}

/** Ends whatever a failed test left running in a home, without asking anybody, and removes the home. */
export async function endHome(home: string): Promise<void> {
  const ids = await unlessGone(() => readdir(join(home, 'host', 'vms'))) ?? [];
  const sockets = ids.map((id) => socketFolder(home, id));
  for (let left = await processesTouching([`${home}/`, ...sockets]); left.length > 0; left = await processesTouching([`${home}/`, ...sockets])) {
    for (const { pid } of left) await kill9(pid);
  }
  for (const folder of [...sockets, home]) await rm(folder, { recursive: true, force: true });
}

/** The process of a VM that a crash of the guest would take: the hypervisor, or the test driver's guest agent. */
export async function guestPid(home: string, projectId: string): Promise<number | null> {
  const record = await unlessGone(() => readFile(join(home, 'host', 'vms', projectId, 'vm.json'), 'utf8'));
  if (record === null) return null;
  const { processes } = JSON.parse(record) as { readonly processes: readonly { readonly pid: number; readonly role: string }[] };
  return processes.find(({ role }) => role === 'hypervisor' || role === 'guest-agent')?.pid ?? null;
}

export const archivePath = (home: string, projectId: string, sha256: string): string => join(home, 'cold', projectId, `${sha256}.zip`);

/** Every revision of a project whose archive is not, byte for byte, what its row says. */
export async function damagedRevisions(client: Client, home: string, projectId: string): Promise<readonly string[]> {
  const { revisions } = await client.call('history.list', { projectId });
  const problems = await Promise.all(revisions.map(async ({ rev, sha256, bytes }) => {
    const content = await unlessGone(() => readFile(archivePath(home, projectId, sha256)));
    if (content === null) return [`revision ${rev} has no archive`];
    const found = createHash('sha256').update(content).digest('hex');
    return found === sha256 && content.length === bytes ? [] : [`revision ${rev} is ${found} (${content.length} bytes)`];
  }));
  return problems.flat();
}

/** A text file of the head revision's archive; null when it is not in there. */
export async function fileInHead(client: Client, home: string, projectId: string, name: string): Promise<string | null> {
  const { head } = await client.call('projects.get', { projectId });
  if (head === null) return null;
  let content: string | null = null;
  await openPromise(archivePath(home, projectId, head.sha256), async (entry) => {
    if (entry.name === name) content = await text(await entry.read());
  });
  return content;
}

/** Files below a folder that hold these words in plain: what a host must not have once an environment is closed. */
export async function filesThatHold(folder: string, words: string): Promise<readonly string[]> {
  try {
    return (await promisify(execFile)('grep', ['-rlF', '--', words, folder], { encoding: 'utf8' })).stdout.trim().split('\n');
  } catch (error) {
    // grep's way to say that it found nothing.
    if ((error as { readonly code?: unknown }).code === 1) return [];
    throw error;
  }
}

/** Runs a command inside an environment; its output, or an error when it fails. */
export async function inside(client: Client, projectId: string, argv: readonly string[]): Promise<string> {
  const parts: Buffer[] = [];
  for await (const item of client.stream('exec.run', { projectId, argv: [...argv] })) {
    if (item.kind === 'stdout' || item.kind === 'stderr') parts.push(Buffer.from(item.data, 'base64'));
    if (item.kind === 'exit' && item.code !== 0) throw new Error(`${argv.join(' ')} ended with ${item.code ?? item.signal}: ${Buffer.concat(parts).toString()}`);
  }
  return Buffer.concat(parts).toString();
}
