import { setTimeout as after } from 'node:timers/promises';
import type { GuestProgram } from '#shared/guest-protocol.ts';
import { errnoOf, log, messageOf } from '../log.ts';
import { describeProgram, idleShells, personsProcesses, type Process, type ProgramScope } from './programs.ts';

/** How often we look whether all have ended. */
const LOOK_MS = 40;
/** A program that starts itself anew would otherwise fill the report. */
const MAX_REPORTED = 50;

const keyOf = ({ pid, startedAt }: Process): string => `${pid} ${startedAt}`;

/** Sends a signal; what has ended meanwhile is fine. */
export function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (errnoOf(error) !== 'ESRCH') log(`signal ${signal} to ${pid}: ${messageOf(error)}`);
  }
}

/**
 * Asks every program of a person to end and waits until all have, at most `waitMs`. What comes up meanwhile is asked as well. The leader of a terminal hears
 * what it hears when its window is closed (SIGHUP): interactive shells ignore SIGTERM. Shells that only waited at a prompt are not reported. Nothing is killed:
 * `running` are those that did not end.
 */
export async function endPrograms(scope: ProgramScope, waitMs: number): Promise<readonly GuestProgram[]> {
  const asked = new Map<string, GuestProgram>();
  const quiet = new Set<string>();
  const late = new Set<string>();
  const deadline = performance.now() + waitMs;
  for (let isFirst = true; ; isFirst = false) {
    const present = personsProcesses(scope);
    const idle = idleShells(present);
    for (const one of present) {
      const key = keyOf(one);
      if (asked.has(key) || quiet.has(key)) continue;
      if (idle.has(one)) quiet.add(key);
      else asked.set(key, describeProgram(one, scope.workspace, 'ended'));
      if (!isFirst) late.add(key);
      signalProcess(one.pid, one.terminal !== 0 && one.pid === one.session ? 'SIGHUP' : 'SIGTERM');
      // One that was paused hears it only when it goes on.
      if (one.stopped) signalProcess(one.pid, 'SIGCONT');
    }
    if (present.length === 0 || performance.now() >= deadline) {
      const left = new Set(present.map(keyOf));
      // A loop starts and ends a child at every turn: what came later and is gone tells nobody anything.
      const list = [...asked].filter(([key]) => left.has(key) || !late.has(key)).map(([key, program]): GuestProgram => (left.has(key) ? { ...program, how: 'running' } : program));
      // Those that go on matter most.
      return list.sort((a, b) => Number(b.how === 'running') - Number(a.how === 'running')).slice(0, MAX_REPORTED);
    }
    await after(Math.max(1, Math.min(LOOK_MS, deadline - performance.now())));
  }
}
