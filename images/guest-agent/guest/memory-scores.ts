import { writeFileSync } from 'node:fs';
import { log, messageOf } from '../log.ts';

/**
 * Whom the kernel ends when memory runs out (proc(5), oom_score_adj): a thousandth of all memory for each point. What people run goes before VS Code, and
 * VS Code before the agent, without which nothing could be saved.
 */
export const MEMORY_SCORES = { agent: -900, ide: -700, user: 300 } as const;

const SCORE = '/proc/self/oom_score_adj';
let isActive = false;

/** Protects this process. From now on what {@link withScore} starts gets its own score. Only root may. */
export function protectAgent(): void {
  try {
    writeFileSync(SCORE, String(MEMORY_SCORES.agent));
    isActive = true;
  } catch (error) {
    // An odd kernel: everything works but for the order in which memory is taken.
    log(`${SCORE}: ${messageOf(error)}`);
  }
}

/**
 * Starts a process with a score. A process gets its parent's when it is forked, so the parent has it for that moment: set afterwards, what the process forked
 * in between would stay protected.
 */
export function withScore<Started>(score: number, start: () => Started): Started {
  if (!isActive) return start();
  writeFileSync(SCORE, String(score));
  try {
    return start();
  } finally {
    writeFileSync(SCORE, String(MEMORY_SCORES.agent));
  }
}

/** A line of a shell's start-up file: what is typed into terminals of VS Code is not VS Code. Builtins only; no process is started. */
export const SHELL_SCORE = `{ read -r vessel_score < /proc/$$/oom_score_adj && [ "$vessel_score" -ge ${MEMORY_SCORES.user} ] || echo ${MEMORY_SCORES.user} > /proc/$$/oom_score_adj; unset vessel_score; } 2>/dev/null || :\n`;
