import { describe, expect, it } from 'vitest';
import { ENVIRONMENT_STATES } from '#shared/project.ts';
import { assertMove, canMove, LIVE_STATES, TRANSITIONS } from './environment-state.ts';

describe('environment states', () => {
  it('refuses an illegal move and names both ends', () => {
    expect(() => assertMove('destroyed', 'running')).toThrow(expect.objectContaining({ code: 'ILLEGAL_TRANSITION', details: { from: 'destroyed', to: 'running' } }));
    expect(() => assertMove(null, 'running')).toThrow(expect.objectContaining({ code: 'ILLEGAL_TRANSITION' }));
  });
  it('lets a failed save go back to running', () => expect(canMove('stopping', 'running')).toBe(true));
  it('never leaves destroying but to destroyed or error', () => expect(TRANSITIONS.destroying).toEqual(['destroyed', 'error']));
  it('has a way from every state to destroyed', () => {
    for (const start of ENVIRONMENT_STATES) {
      const reached = new Set([start]);
      for (const state of reached) for (const next of TRANSITIONS[state]) reached.add(next);
      expect(reached.has('destroyed'), start).toBe(true);
    }
  });
  it('counts no ended state as live', () => {
    for (const state of ['destroyed', 'error'] as const) expect(LIVE_STATES.has(state)).toBe(false);
  });
});
