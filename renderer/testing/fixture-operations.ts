import type { LogLine, Operation } from '#shared/operation.ts';
import { logLines, operation, revision, step } from './fixture-data.ts';

export type FixtureOperation = { readonly operation: Operation; readonly lines: readonly LogLine[] };

const BOOT: readonly (readonly [number, LogLine['level'], string])[] = [
  [0, 'info', 'open price-model-m2hw: revision 7, tier medium, host local'], [4, 'debug', 'archive 9f2c4be1a07d… is 18.7 MB, verified 3 h ago'], [9, 'info', 'infra-agent: start price-model-m2hw (clone)'],
  [11, 'debug', 'template medium/a41c09be77d2 is valid: image, kernel, QEMU and tier match'], [38, 'debug', 'overlay /run/vessel/vm/price-model-m2hw/disk.qcow2 (196 kB)'], [52, 'debug', 'qemu pid 24117 as vessel-vm, cgroup price-model-m2hw.scope'],
  [214, 'info', 'memory restored copy-on-write, guest resumed'], [231, 'info', 'guest agent answers on 10.87.3.2:3000'], [236, 'debug', 'identity: token, clock, entropy, hostname'], [251, 'info', 'unpacking 64 files as the user workspace'],
  [402, 'warn', 'clock moved by 5 d 21 h: timers of the guest were reset'], [690, 'info', 'workspace ready: 64 files, 22.9 MB'],
];

/** Operations in every state that the console has to draw. */
export function sampleOperations(now: number): FixtureOperation[] {
  const opening = now - 760;
  const opened = now - 22 * 60_000;
  const failed = now - 40 * 60_000;
  const saved = now - 2 * 60_000;
  const provisioned = now - 6 * 86_400_000;
  const rev = revision('shop-api-k3f9', 12, saved);
  return [
    {
      operation: operation('op-opening', 'open', 'Open Price model', opening, [
        step('check', 'Check archive and host', 'done', opening, opening + 9, 'revision 7, 18.7 MB'), step('clone', 'Clone the template', 'done', opening + 9, opening + 231, 'medium, 196 kB of disk'),
        step('identity', 'Give the guest its identity', 'done', opening + 231, opening + 251), step('hydrate', 'Unpack the workspace', 'running', opening + 251, null, '41 of 64 files', 0.64),
        step('ide', 'Wait for VS Code', 'pending', null, null), step('route', 'Open the route', 'pending', null, null),
      ], { state: 'running', projectId: 'price-model-m2hw', progress: 0.62, lastSeq: BOOT.length }),
      lines: logLines(opening, BOOT),
    },
    {
      operation: operation('op-opened', 'open', 'Open Shop API', opened, [
        step('check', 'Check archive and host', 'done', opened, opened + 8), step('clone', 'Clone the template', 'done', opened + 8, opened + 319, 'medium, 196 kB of disk'),
        step('hydrate', 'Unpack the workspace', 'done', opened + 319, opened + 610, '140 files'), step('ide', 'Wait for VS Code', 'done', opened + 610, opened + 822), step('route', 'Open the route', 'done', opened + 822, opened + 840),
      ], { result: { id: 'shop-api-k3f9', url: 'http://shop-api-k3f9.localhost:7420/', origin: 'http://shop-api-k3f9.localhost:7420/', state: 'running', startKind: 'clone', timings: [], totalMs: 840 }, lastSeq: BOOT.length }),
      lines: logLines(opened, BOOT),
    },
    {
      operation: operation('op-failed', 'save', 'Save Landing page', failed, [
        step('pack', 'Stream the workspace out', 'done', failed, failed + 1_400, '6,012 files'), step('store', 'Write the archive', 'failed', failed + 1_400, failed + 2_960, 'no space left after 48.2 MB', 0.7),
        step('verify', 'Read back and compare', 'pending', null, null), step('flip', 'Make it the current revision', 'pending', null, null),
      ], {
        state: 'failed', projectId: 'landing-page-x7qd', lastSeq: 5,
        error: { code: 'DISK_FULL', message: 'No space left on the device that holds the cold store', hint: 'Free space, then press Retry: the environment is still running and nothing is lost.', retryable: true, details: { folder: '~/.vessel/cold', needed: '61.3 MB', free: '0 B' }, logTail: ['cold: write 9f2c4be1a07d.tmp at 48,234,496', 'cold: ENOSPC: no space left on device, write', 'cold: removed 9f2c4be1a07d.tmp', 'save: revision 4 stays current'] },
      }),
      lines: logLines(failed, [[0, 'info', 'save landing-page-x7qd'], [1_400, 'info', '6,012 files, 59.8 MB'], [2_950, 'error', 'ENOSPC: no space left on device, write'], [2_955, 'info', 'removed the half-written archive'], [2_960, 'info', 'revision 4 stays current; the environment is kept']]),
    },
    {
      operation: operation('op-closed', 'close', 'Save & Exit Shop API', saved, [
        step('pack', 'Stream the workspace out', 'done', saved, saved + 310, '140 files'), step('store', 'Write the archive', 'done', saved + 60, saved + 420, '1.3 MB'),
        step('verify', 'Read back and compare', 'done', saved + 420, saved + 505, 'sha256 matched'), step('flip', 'Make it the current revision', 'done', saved + 505, saved + 509, '11 → 12'), step('stop', 'End the environment', 'done', saved + 509, saved + 702, 'nothing left'),
      ], { result: { archive: { rev: rev.rev, sha256: rev.sha256, bytes: rev.bytes, files: rev.files, verifiedAt: rev.verifiedAt }, revision: rev, changed: true }, lastSeq: 6 }),
      lines: logLines(saved, [[0, 'info', 'close shop-api-k3f9'], [310, 'info', '140 files, 4.9 MB of content'], [420, 'info', `stored as ${rev.sha256}`], [505, 'info', 'read back: the hash matched'], [509, 'info', 'revision 11 → 12'], [702, 'info', 'qemu ended; processes, sockets, disks, namespaces and routes are gone']]),
    },
    {
      operation: operation('op-provisioned', 'provision', 'Provision this computer', provisioned, [
        step('packages', 'Install packages', 'skipped', null, null, 'qemu-system-x86 7.2.15 is there'), step('accel', 'Probe the accelerator', 'done', provisioned, provisioned + 3_100, 'TCG'), step('image', 'Build the golden image', 'done', provisioned + 3_100, provisioned + 128_000, '1.18 GB'), step('template', 'Freeze a template (medium)', 'done', provisioned + 128_000, provisioned + 153_400, '702 MB'),
      ], { projectId: null }),
      lines: [],
    },
  ];
}
