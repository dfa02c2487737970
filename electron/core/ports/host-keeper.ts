import type { DoctorResult, ProvisionResult, RequestedDriver, UnprovisionResult } from '#shared/host-protocol.ts';
import type { ConnectOptions } from './connect-options.ts';
import type { HostRequestOptions } from './host-link.ts';

/** Makes a machine over SSH a host and takes that back. Every call connects where need be, and asks nobody: {@link HostKeeper.authorize} does. */
export type HostKeeper = {
  /**
   * Connects, and makes sure that Vessel can act as root there: where sudo wants a password it is asked for, tried, and kept until
   * Vessel ends, or longer when the person says so. Throws SUDO_UNAVAILABLE, SUDO_PASSWORD_NEEDED, SSH_PROMPT_CANCELLED, SSH_….
   */
  authorize(options: ConnectOptions): Promise<void>;
  /** What provisioning would change. Leaves nothing on the host. */
  plan(options: HostRequestOptions, drivers: readonly RequestedDriver[]): Promise<ProvisionResult>;
  /** Sends what the host needs and runs its steps. Throws HOST_UNSUPPORTED, HOST_VERSION, DISK_FULL, PROVISION_FAILED, SUDO_…. */
  provision(options: HostRequestOptions, drivers: readonly RequestedDriver[]): Promise<ProvisionResult>;
  /** Puts the host back as it was, the agent included. What had to stay is named, and then the agent stays too. Throws BUSY, SUDO_…. */
  unprovision(options: HostRequestOptions): Promise<UnprovisionResult>;
  /** Every stage from the name of the host to the environments on it; a failure is a finding. */
  doctor(options: HostRequestOptions): Promise<DoctorResult>;
};
