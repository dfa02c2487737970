import { describe, expect, it } from 'vitest';
import { failureOf, parseTasks } from './ignite-cli.ts';

describe('what ignite says', () => {
  const said = (message: string): string => `time="2026-01-01T00:00:00Z" level=info msg="Created"\ntime="2026-01-01T00:00:01Z" level=fatal msg=${JSON.stringify(message)}\n`;
  it.each([
    ['can\'t find VM: no ID/name matches for "x"', 'VM_NOT_FOUND'],
    ['invalid VM id/name "x": already exists', 'VM_EXISTS'],
    ['[preflight] Some fatal errors occurred:\n\t[ERROR ExistingFile--dev-kvm]: File /dev/kvm, does not exist', 'HOST_UNSUPPORTED'],
    ['failed to resolve reference "x": not found', 'IMAGE_MISSING'],
    ['write /var/lib/firecracker: no space left on device', 'DISK_FULL'],
    ['something new', 'VM_START_FAILED'],
  ])('is told apart by its text: %s', (message, code) => {
    expect(failureOf('run', 1, said(message))).toMatchObject({ code, details: { fatal: message } });
  });
  it('may be a panic of its own', () => expect(failureOf('exec', 2, 'panic: runtime error: nil pointer\n')).toMatchObject({ message: expect.stringContaining('panic: runtime error') as string }));
  it('counts only tasks that run', () => {
    expect([...parseTasks('TASK            PID    STATUS\nignite-a        12     RUNNING\nignite-b        13     STOPPED\n')]).toEqual([['ignite-a', 12]]);
  });
});
