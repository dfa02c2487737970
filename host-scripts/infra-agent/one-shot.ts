import { VesselError } from '#shared/errors.ts';
import { hostMethods } from '#shared/host-protocol.ts';
import type { CommandLine, Verb } from './command-line.ts';
import type { Host, RequestContext } from './request-context.ts';

/** Parameters of the wire method from the command line; the protocol's own schema checks them. */
function paramsOf(line: CommandLine): unknown {
  const { options, id } = line;
  switch (line.verb) {
    case 'start': return { id, tier: options.tier[0], mode: options.mode, timezone: options.timezone, deadlineMs: options.deadlineMs };
    case 'stop': case 'inspect': case 'hibernate': return { id };
    case 'resume': return { id, deadlineMs: options.deadlineMs };
    case 'idle': return { idleMinutes: options.idleMinutes, awayMinutes: options.awayMinutes };
    case 'logs': return { id, lines: options.lines };
    case 'provision': return { dryRun: options.dryRun, tiers: options.tier.length > 0 ? options.tier : undefined };
    case 'unprovision': return { dryRun: options.dryRun };
    case 'list': case 'doctor': case 'facts': case 'serve': case 'help': case 'version': return {};
  }
}

function parse<M extends keyof typeof hostMethods>(method: M, params: unknown): (typeof hostMethods)[M]['params']['_output'] {
  const parsed = hostMethods[method].params.safeParse(params);
  if (!parsed.success) throw new VesselError('BAD_REQUEST', parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; '));
  return parsed.data as (typeof hostMethods)[M]['params']['_output'];
}

/** Runs one verb and gives the one JSON object it prints. */
export async function runVerb(host: Host, line: CommandLine, verb: Exclude<Verb, 'serve'>, context: RequestContext): Promise<object> {
  const params = paramsOf(line);
  if (verb === 'start' || verb === 'resume') {
    const result = await (verb === 'start' ? host.start(parse('start', params), context) : host.resume(parse('resume', params), context));
    // Scripts read these without knowing the rest.
    return { status: result.status, ip: result.ip, port: result.vm.address?.port ?? null, url: result.url, vm: result.vm, timings: result.timings };
  }
  const handler = host[verb] as (params: unknown, context: RequestContext) => Promise<object>;
  return { status: 'success', ...await handler(parse(verb, params), context) };
}

/** Progress of a one-shot verb for people, on stderr. */
export function stderrContext(signal: AbortSignal, write: (text: string) => void): RequestContext {
  const told = new Map<string, string>();
  return {
    signal,
    stage: (stage) => write(`… ${stage}\n`),
    // Every line of the builders' tools is of use to a program that shows a log, not on a terminal.
    log: (level, text) => level === 'debug' ? undefined : write(`${level === 'info' ? '' : `${level}: `}${text}\n`),
    steps: (steps) => {
      for (const step of steps) {
        if (told.get(step.id) === `${step.state}${step.evidence}`) continue;
        told.set(step.id, `${step.state}${step.evidence}`);
        write(`${step.state.padEnd(8)} ${step.title}${step.evidence === '' ? '' : ` (${step.evidence})`}\n`);
      }
    },
  };
}
