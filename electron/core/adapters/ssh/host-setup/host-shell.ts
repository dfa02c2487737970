import { VesselError } from '#shared/errors.ts';
import type { RemoteHost, RemoteRunResult } from '../../../ports/remote-host.ts';
import { INSTALLED, LAUNCHER, NODE_MAJOR, PROGRAM_DIR, STAGING_NAME, STATE_DIR, SYSTEM_NODES, launcherText } from './layout.ts';
import type { Installed } from './installed.ts';
import type { RootAccess } from './root-access.ts';

/*
 * What happens on a host before there is a Node: POSIX scripts with positional arguments, the words stay words. Root never trusts
 * a file that a user may still write to: it copies first and hashes its own copy.
 */

const STAGE = `umask 077; mkdir -p "$HOME/$1/$2" && cd "$HOME/$1/$2" && pwd`;
const UNSTAGE = `cd "$HOME" && rm -rf "./$1/$2" && { rmdir "./$1" 2>/dev/null || :; }`;
const SYSTEM_NODE = `for node in "$@"; do if [ -x "$node" ]; then version="$("$node" --version 2>/dev/null)" && echo "$version $node"; fi; done; :`;

/** $1 compressed file, $2 SHA-256 of what is inside, $3 folder to make. */
const PUT_NODE = `
set -eu
umask 022
mkdir -p "$(dirname "$3")"
rm -rf "$3.new"
mkdir "$3.new"
gzip -dc < "$1" > "$3.new/node"
if [ "$(sha256sum < "$3.new/node" | cut -d ' ' -f 1)" != "$2" ]; then rm -rf "$3.new"; echo "Node did not arrive whole" >&2; exit 9; fi
chmod 755 "$3.new/node"
rm -rf "$3"
mv -T "$3.new" "$3"`;

/** $1 bundle, $2 its SHA-256, $3 where it goes, $4 launcher, $5 its text, $6 note, $7 its text, $8 folder of the Node in use. */
const PUT_AGENT = `
set -eu
umask 022
folder="$(dirname "$3")"
mkdir -p "$folder"
cp "$1" "$3.new"
if [ "$(sha256sum < "$3.new" | cut -d ' ' -f 1)" != "$2" ]; then rm -f "$3.new"; echo "infra-agent did not arrive whole" >&2; exit 9; fi
chmod 644 "$3.new"
mv -f "$3.new" "$3"
printf '%s' "$5" > "$4.new"
chmod 755 "$4.new"
mv -f "$4.new" "$4"
printf '%s' "$7" > "$6.new"
mv -f "$6.new" "$6"
for old in "$folder"/agent-*.mjs; do [ "$old" = "$3" ] || rm -f "$old"; done
for old in "$folder"/node-*; do [ "$old" = "$8" ] || rm -rf "$old"; done
"$4" --version`;

const REMOVE = `rm -rf "$1" && if [ -d "$2" ]; then rmdir "$2" 2>/dev/null || :; fi`;

export type SystemNode = { readonly version: string; readonly path: string };

/** A folder of the login's own, made if need be; gives its absolute path. */
export async function makeStaging(host: RemoteHost, name: string, signal: AbortSignal | undefined): Promise<string> {
  return checked(await host.run(['sh', '-c', STAGE, 'sh', STAGING_NAME, name], options(signal)), 'No folder to send to').trim();
}

export async function removeStaging(host: RemoteHost, name: string): Promise<void> {
  checked(await host.run(['sh', '-c', UNSTAGE, 'sh', STAGING_NAME, name]), 'The folder of what was sent stays');
}

/** A Node of the system that the agent can run on. */
export async function findSystemNode(host: RemoteHost, signal: AbortSignal | undefined): Promise<SystemNode | null> {
  const { stdout } = await host.run(['sh', '-c', SYSTEM_NODE, 'sh', ...SYSTEM_NODES], options(signal));
  for (const line of stdout.split('\n')) {
    const match = /^v(\d+)\.(\S+) (\/\S+)$/.exec(line);
    if (match !== null && Number(match[1]) >= NODE_MAJOR) return { version: `${match[1]}.${match[2]}`, path: match[3] ?? '' };
  }
  return null;
}

export const nodeFolder = (version: string): string => `${PROGRAM_DIR}/node-${version}`;
export const agentPath = (version: string, sha256: string): string => `${PROGRAM_DIR}/agent-${version}-${sha256.slice(0, 12)}.mjs`;

/** Whether the Node that was sent once is still there and runs. */
export async function hasNode(host: RemoteHost, version: string, signal: AbortSignal | undefined): Promise<boolean> {
  const { code, stdout } = await host.run([`${nodeFolder(version)}/node`, '--version'], options(signal));
  return code === 0 && stdout.trim() === `v${version}`;
}

export async function putNode(root: RootAccess, staged: string, unpackedSha256: string, version: string, signal: AbortSignal | undefined): Promise<void> {
  checked(await root.run(['sh', '-c', PUT_NODE, 'sh', staged, unpackedSha256, nodeFolder(version)], options(signal)), 'Node cannot be put on the host');
}

/** Puts the agent in its place and makes it the one that runs from now on. */
export async function putAgent(root: RootAccess, staged: string, installed: Installed, signal: AbortSignal | undefined): Promise<void> {
  const node = installed.node.startsWith(PROGRAM_DIR) ? installed.node.slice(0, -'/node'.length) : '-';
  const words = [staged, installed.agentSha256, installed.agent, LAUNCHER, launcherText(installed.node, installed.agent), INSTALLED, JSON.stringify(installed), node];
  checked(await root.run(['sh', '-c', PUT_AGENT, 'sh', ...words], options(signal)), 'infra-agent cannot be put on the host');
}

/** Takes the programs away, and the state folder when nothing is left in it. */
export async function removePrograms(root: RootAccess): Promise<void> {
  checked(await root.run(['sh', '-c', REMOVE, 'sh', PROGRAM_DIR, STATE_DIR]), 'The programs cannot be removed');
}

/** Whether provisioning has left its journal: also where the agent is gone. */
export async function hasJournal(root: RootAccess, signal: AbortSignal | undefined): Promise<boolean> {
  return (await root.run(['test', '-e', `${STATE_DIR}/host/journal.jsonl`], options(signal))).code === 0;
}

const options = (signal: AbortSignal | undefined): { readonly signal?: AbortSignal } => signal === undefined ? {} : { signal };

function checked({ code, stdout, stderr }: RemoteRunResult, what: string): string {
  if (code === 0) return stdout;
  const said = stderr.trim().split('\n').at(-1) ?? '';
  if (/no space left|disk quota exceeded/i.test(stderr)) throw new VesselError('DISK_FULL', `The disk of the host is full: ${said}`, { hint: 'Free space on the host, then try again: what arrived is kept.' });
  if (/sudo:|incorrect password|sorry, try again/i.test(stderr)) throw new VesselError('SUDO_UNAVAILABLE', `${what}: ${said}`);
  if (/permission denied|read-only file system|operation not permitted/i.test(stderr)) throw new VesselError('HOST_PERMISSION', `${what}: ${said}`);
  throw new VesselError('PROVISION_FAILED', `${what}: ${said === '' ? `exit code ${code}` : said}`, { logTail: stderr.trim().split('\n').slice(-20) });
}
