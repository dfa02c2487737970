import { HostProbeSchema, type HostProbe } from '#shared/contract.ts';
import { VesselError } from '#shared/errors.ts';
import type { RemoteRunOptions, RemoteRunResult } from '../../ports/remote-host.ts';

const PROBE_DEADLINE_MS = 20_000;

/** Reads only. Each line is `name value`; what a machine lacks is left out. `sudo -n` never asks. */
const LOOK = `
export LC_ALL=C PATH="$PATH:/usr/sbin:/sbin"
say() { printf '%s %s\\n' "$1" "$2"; }
say hostname "$(uname -n)"; say kernel "$(uname -r)"; say system "$(uname -s)"; say architecture "$(uname -m)"
say user "$(id -un)"; say uid "$(id -u)"; say groups "$(id -Gn)"
if [ -r /etc/os-release ]; then . /etc/os-release; say os-id "$ID"; say os-version "$VERSION_ID"; say os-name "$PRETTY_NAME"; fi
say cpus "$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1)"
if [ -r /proc/meminfo ]; then while read -r key kib rest; do case $key in MemTotal:) say memory-total "$kib";; MemAvailable:) say memory-available "$kib";; esac; done < /proc/meminfo; fi
say disk-free "$(df -Pk /var 2>/dev/null | tail -n 1 | { read -r a b c free e; echo "$free"; })"
if [ ! -e /dev/kvm ]; then say kvm absent; elif [ -r /dev/kvm ] && [ -w /dev/kvm ]; then say kvm usable; else say kvm no-access; fi
if [ "$(id -u)" = 0 ]; then say sudo root
elif ! command -v sudo >/dev/null 2>&1; then say sudo absent
elif sudo -n true >/dev/null 2>&1; then say sudo passwordless
else say sudo password; fi`;

export type ProbedHost = {
  readonly run: (argv: readonly string[], options: RemoteRunOptions) => Promise<RemoteRunResult>;
  /** Milliseconds; null when the line did not answer. */
  readonly roundTrip: () => Promise<number | null>;
  readonly now: () => number;
};

/** What a machine is. Throws HOST_UNSUPPORTED when it is none that answers as a Unix does. */
export async function probeHost(host: ProbedHost, signal: AbortSignal | undefined): Promise<HostProbe> {
  const { run, now } = host;
  const options: RemoteRunOptions = { deadlineMs: PROBE_DEADLINE_MS, ...(signal === undefined ? {} : { signal }) };
  const { code, stdout, stderr } = await run(['sh', '-c', LOOK], options);
  const seen = new Map(stdout.split('\n').map((line) => { const at = line.indexOf(' '); return [line.slice(0, at), line.slice(at + 1).trim()] as const; }));
  const text = (name: string): string => seen.get(name) ?? '';
  const number = (name: string): number => { const value = Number(text(name)); return Number.isFinite(value) ? value : 0; };
  if (code !== 0 || text('user') === '') throw new VesselError('HOST_UNSUPPORTED', 'The host does not answer as a Unix system does', { details: { code, stderr: stderr.slice(-400) } });
  return HostProbeSchema.parse({
    probedAt: now(), roundTripMs: await host.roundTrip() ?? 0,
    hostname: text('hostname'), user: text('user'), uid: number('uid'), groups: text('groups').split(' ').filter((group) => group !== ''),
    os: { id: text('os-id'), version: text('os-version'), name: text('os-name') === '' ? text('system') : text('os-name') },
    kernel: text('kernel'), architecture: text('architecture'), cpus: Math.round(number('cpus')),
    memoryTotalBytes: number('memory-total') * 1024, memoryAvailableBytes: number('memory-available') * 1024, diskFreeBytes: number('disk-free') * 1024,
    kvm: text('kvm'), sudo: text('sudo'),
  });
}
