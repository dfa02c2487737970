import { expect, it } from 'vitest';
import type { ProvisionResult } from '#shared/host-protocol.ts';
import { planText } from './commands/host.ts';

const plain = { output: { style: (_format: unknown, text: string) => text } };
const step = (id: string, plan: readonly string[]): ProvisionResult['steps'][number] => ({ id, title: id, weight: 1, state: plan.length === 0 ? 'present' : 'missing', plan: [...plan], evidence: '' });

it('counts in a dry run what is still to be done, not what was', () => {
  expect(planText(plain, { status: 'planned', changed: 0, steps: [step('packages', []), step('image', ['build it']), step('template', ['boot it', 'freeze it'])] }).split('\n'))
    .toEqual(['present  packages', 'missing  image', '           build it', 'missing  template', '           boot it', '           freeze it', '2 steps would change this host.']);
  expect(planText(plain, { status: 'planned', changed: 0, steps: [step('packages', [])] })).toContain('Nothing would change.');
});

it('never calls present what is lacking and what no step can bring', () => {
  const evidence = '4.0 GB of memory (3.1 free), 4.9 GB of disk free: at least 5 GB must be free where /var/cache lies';
  const text = planText(plain, { status: 'planned', changed: 0, steps: [{ ...step('Memory and disk', []), state: 'missing', evidence }, step('image', ['build it']), { ...step('driver', []), state: 'skipped' }] });
  expect(text.split('\n')).toEqual([`blocked  Memory and disk  ${evidence}`, 'missing  image', '           build it', 'skipped  driver', 'Provisioning would stop: Memory and disk.']);
});
