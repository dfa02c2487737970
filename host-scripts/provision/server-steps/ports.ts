import { readFileOrNull } from '../../system/atomic-file.ts';
import { nothingToUndo } from '../step.ts';
import type { ProvisionStep } from '../step.ts';

const LISTEN = '0A';
export const WEB_PORTS = [80, 443] as const;

/** Which of these TCP ports somebody listens on, at any address, from the kernel's own tables. */
export async function takenPorts(wanted: readonly number[], folder = '/proc/net'): Promise<readonly number[]> {
  const tables = await Promise.all(['tcp', 'tcp6'].map(async (name) => await readFileOrNull(`${folder}/${name}`) ?? ''));
  const listening = new Set(tables.join('\n').split('\n').map((line) => line.trim().split(/\s+/)).filter((fields) => fields[3] === LISTEN).map((fields) => Number.parseInt(fields[1]?.split(':')[1] ?? '0', 16)));
  return wanted.filter((port) => listening.has(port));
}

/** Who has the web ports decides only whether Traefik can run here; environments need neither. */
export function portsStep(): ProvisionStep {
  return {
    id: 'ports', title: 'Ports 80 and 443', weight: 1, undo: nothingToUndo,
    async check() {
      const taken = await takenPorts(WEB_PORTS);
      return { present: true, evidence: WEB_PORTS.map((port) => `${port} is ${taken.includes(port) ? 'taken' : 'free'}`).join(', '), plan: [] };
    },
    run: () => Promise.resolve(),
  };
}
