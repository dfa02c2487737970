import { setTimeout as after } from 'node:timers/promises';
import type { GuestPrograms } from '#shared/guest-protocol.ts';
import { VesselError } from '#shared/vessel-error.ts';
import { readJson } from '../http/body.ts';
import { sendJson } from '../http/respond.ts';
import type { Call } from '../http/router.ts';
import type { ChangeCounter } from '../workspace/change-counter.ts';
import type { Stillness } from '../workspace/stillness.ts';
import { endPrograms } from './end-programs.ts';
import { describeProgram, idleShells, personsProcesses, type ProgramScope } from './programs.ts';

const MAX_WATCH_MS = 10_000;
const MAX_WAIT_MS = 60_000;
const MAX_LEASE_MS = 600_000;
/** A watch of a folder ends with its first event, and reading the number sets it again. */
const LOOK_MS = 50;
const MAX_REPORTED = 50;

function integer(value: unknown, name: string, maximum: number): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > maximum) throw new VesselError('BAD_REQUEST', `${name} must be an integer from 0 to ${maximum}`);
  return value;
}

export type ProgramCallsOptions = { readonly scope: ProgramScope; readonly changes: ChangeCounter; readonly stillness: Stillness };

/** The calls about what a person runs, and about holding the workspace still. */
export function programCalls({ scope, changes, stillness }: ProgramCallsOptions): Readonly<Record<string, Call>> {
  return {
    'GET programs': async ({ response, query }) => {
      const watchMs = integer(Number(query.get('watchMs') ?? 0), 'watchMs', MAX_WATCH_MS);
      const present = personsProcesses(scope);
      const idle = idleShells(present);
      const programs = present.filter((one) => !idle.has(one));
      changes.read();
      changes.takeRecent();
      const until = performance.now() + watchMs;
      let changing: readonly string[] = [];
      // Nobody is there to write: an answer at once. One change is enough to know.
      while (programs.length > 0 && changing.length === 0 && performance.now() < until) {
        await after(LOOK_MS);
        changes.read();
        changing = changes.takeRecent();
      }
      const described = programs.map((one) => describeProgram(one, scope.workspace, 'running'));
      const ordered = [...described].sort((a, b) => b.wrote.length - a.wrote.length).slice(0, MAX_REPORTED);
      sendJson(response, 200, { programs: ordered, changing: [...changing] } satisfies GuestPrograms);
    },
    'POST programs/end': async ({ request, response }) => {
      const waitMs = integer((await readJson(request))['waitMs'], 'waitMs', MAX_WAIT_MS);
      changes.takeRecent();
      const programs = await endPrograms(scope, waitMs);
      changes.read();
      sendJson(response, 200, { programs: [...programs], changing: [...changes.takeRecent()] } satisfies GuestPrograms);
    },
    'PUT still': async ({ request, response }) => {
      sendJson(response, 200, { hold: await stillness.keep(integer((await readJson(request))['leaseMs'], 'leaseMs', MAX_LEASE_MS)) });
    },
    'DELETE still': async ({ response }) => {
      await stillness.release();
      sendJson(response, 200, {});
    },
  };
}
