import { VesselError } from '#shared/errors.ts';
import { runChecked } from '../../system/run-command.ts';
import { SERVICE_USER, serviceUser } from '../../system/run-user.ts';
import type { ProvisionStep } from '../step.ts';

const DEADLINE_MS = 30_000;

/** The account without home, shell or password that hypervisors and forwarders run as. */
export function serviceUserStep(isRoot: boolean): ProvisionStep {
  return {
    id: 'user', title: 'Unprivileged user for microVMs', weight: 1,
    async check() {
      if (!isRoot) return { present: true, evidence: 'not needed: Vessel itself is unprivileged', plan: [] };
      const user = await serviceUser();
      return user === null
        ? { present: false, evidence: `there is no user ${SERVICE_USER}`, plan: [`create the system user ${SERVICE_USER}`] }
        : { present: true, evidence: `${SERVICE_USER} has uid ${user.uid}`, plan: [] };
    },
    async run({ journal, signal }) {
      await journal.record('user', SERVICE_USER);
      await runChecked([
        'useradd', '--system', '--user-group', '--no-create-home', '--home-dir', '/nonexistent', '--shell', '/usr/sbin/nologin', '--comment', 'Vessel microVMs', SERVICE_USER,
      ], { deadlineMs: DEADLINE_MS, signal });
    },
    async undo({ item }, signal) {
      if (item !== SERVICE_USER) throw new VesselError('INTERNAL', `the journal names a user ${item}`);
      if (await serviceUser() !== null) await runChecked(['userdel', SERVICE_USER], { deadlineMs: DEADLINE_MS, signal });
      return null;
    },
  };
}
