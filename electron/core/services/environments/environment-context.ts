import type { ServiceContext } from '../context.ts';
import type { Hosts } from '../hosts.ts';
import type { Preparation } from '../preparation.ts';
import type { EnvironmentRecords } from './environment-records.ts';
import type { LiveEnvironments } from './live-environments.ts';

/** What the verbs of environments share. */
export type EnvironmentContext = ServiceContext & {
  readonly hosts: Hosts;
  readonly preparation: Preparation;
  readonly live: LiveEnvironments;
  readonly records: EnvironmentRecords;
};
