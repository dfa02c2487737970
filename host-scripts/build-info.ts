import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

declare const __VESSEL_GUEST_AGENT__: string | undefined;
declare const __VESSEL_AGENT_VERSION__: string | undefined;
declare const __VESSEL_UNITS__: Readonly<Record<string, string>> | undefined;

/** Set by `build/bundle-host.mjs`; a run from the sources says so. */
export const AGENT_VERSION: string = typeof __VESSEL_AGENT_VERSION__ === 'string' ? __VESSEL_AGENT_VERSION__ : '0.0.0-source';

/** The guest agent's bundle that this infra-agent carries; null when it runs from the sources. */
export const EMBEDDED_GUEST_AGENT: string | null = typeof __VESSEL_GUEST_AGENT__ === 'string' ? __VESSEL_GUEST_AGENT__ : null;

/** The guest agent's source entry, which Node can run directly; only meaningful when nothing is embedded. */
export const guestAgentSource = (): string => fileURLToPath(new URL('../images/guest-agent/main.ts', import.meta.url));

/** A file of `traefik/`: the static configuration and the units that provisioning writes on a host. The bundle carries them. */
export async function unitText(name: string): Promise<string> {
  const carried = typeof __VESSEL_UNITS__ === 'object' ? __VESSEL_UNITS__[name] : undefined;
  return carried ?? readFile(new URL(`../traefik/${name}`, import.meta.url), 'utf8');
}
