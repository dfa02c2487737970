import { VesselError } from '#shared/errors.ts';
import { resolveHop, type SshEnvironment, type SshHop } from './config.ts';
import { parseTarget, type SshTarget } from './target.ts';

/** More machines in a row are a mistake of the configuration. */
const MAX_HOPS = 8;

/**
 * The machines on the way to a target, the target last. Each is resolved by the configuration of its own; the first jump
 * host may itself be behind others. `identityFile` is for the target only. Throws BAD_REQUEST, SSH_CONFIG_INVALID.
 */
export async function resolveRoute(target: string, identityFile: string | null, environment: SshEnvironment): Promise<readonly SshHop[]> {
  const hop = await resolveHop(parseTarget(target), environment);
  const last = identityFile === null ? hop : { ...hop, identityFiles: [identityFile], identitiesOnly: true };
  return [...await jumpsOf(hop, environment, 1), last];
}

async function jumpsOf(hop: SshHop, environment: SshEnvironment, depth: number): Promise<readonly SshHop[]> {
  if (hop.proxyJump === null) return [];
  const jumps: SshHop[] = [];
  for (const text of hop.proxyJump.split(',')) jumps.push(await resolveHop(jumpTarget(text, hop), environment));
  if (depth + jumps.length > MAX_HOPS) throw new VesselError('SSH_CONFIG_INVALID', `The ProxyJump of ${hop.alias} leads over more than ${MAX_HOPS} machines; it may lead in a circle`, { details: { host: hop.alias } });
  const [first] = jumps;
  return first === undefined ? [] : [...await jumpsOf(first, environment, depth + jumps.length), ...jumps];
}

/** What a person typed is BAD_REQUEST; here it stands in the configuration. */
function jumpTarget(text: string, { alias }: SshHop): SshTarget {
  try {
    return parseTarget(text);
  } catch (error) {
    throw new VesselError('SSH_CONFIG_INVALID', `The ProxyJump of ${alias}: ${VesselError.from(error).message}`, { cause: error, details: { host: alias } });
  }
}

