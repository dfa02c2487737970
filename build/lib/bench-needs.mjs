import { existsSync, readdirSync } from 'node:fs';
import { installPackages } from './debian.mjs';

const CHROMIUM = { what: 'Chromium', packages: ['chromium', 'fonts-dejavu-core'], here: () => existsSync(process.env.CHROMIUM ?? '/usr/bin/chromium') };
const SSHD = { what: 'an SSH server', packages: ['openssh-server', 'openssh-client'], here: () => existsSync('/usr/sbin/sshd') };
const POSTGRES = { what: 'PostgreSQL', packages: ['postgresql'], here: () => existsSync('/usr/lib/postgresql') && readdirSync('/usr/lib/postgresql').length > 0 };

/** Programs without which a bench cannot run at all. A peer that it only compares with is no need: without it the rest is measured. */
const NEEDS = { offline: [CHROMIUM], open: [CHROMIUM], sync: [POSTGRES], tunnel: [SSHD] };

/** Installs what a bench needs, as root. Resolves to null, or to one line that says what is missing and how to get it. */
export async function benchNeeds(name, say) {
  for (const { what, packages, here } of NEEDS[name] ?? []) {
    if (here()) continue;
    const why = await installPackages(say, packages);
    if (!here()) return `${what} is missing: ${why ?? `installing ${packages.join(' ')} did not bring it`}`;
  }
  return null;
}

/** What was left out, found anywhere in a result as `{skipped: reason}`: one line each. */
export function skippedIn(value, path) {
  if (value === null || typeof value !== 'object') return [];
  if (typeof value.skipped === 'string') return [`${path.join(' › ')} was not measured: ${value.skipped}`];
  return Object.entries(value).flatMap(([key, inner]) => skippedIn(inner, [...path, key]));
}
