/**
 * Every failure Vessel can name. The code chooses the text people read; `hint` is the one fix to try first.
 * `docs/errors.md` is generated from this table, so a new failure is a new row here and nowhere else.
 */
export const ERROR_CODES = {
  BAD_REQUEST: { title: 'The request is malformed', hint: 'Check the arguments against the documentation.', retryable: false },
  UNAUTHENTICATED: { title: 'This caller has not shown the session secret', hint: 'Open the address that Vessel printed, or run `vessel url`.', retryable: false },
  FORBIDDEN_ORIGIN: { title: 'The request comes from a page Vessel does not trust', hint: 'Open Vessel at its own address.', retryable: false },
  NOT_FOUND: { title: 'There is no such thing', hint: 'List what exists and check the spelling.', retryable: false },
  CONFLICT: { title: 'Something else changed this first', hint: 'Reload and try again.', retryable: true },
  CANCELLED: { title: 'Cancelled', hint: 'Start it again when you like.', retryable: true },
  TIMEOUT: { title: 'It took longer than its deadline', hint: 'Try again; if it repeats, run the doctor.', retryable: true },
  INTERNAL: { title: 'A defect in Vessel', hint: 'Please report it with the log tail below.', retryable: false },
  ILLEGAL_TRANSITION: { title: 'The environment is not in a state that allows this', hint: 'Wait for the current step to end, or stop the environment.', retryable: false },
  BUSY: { title: 'Another operation is working on this project', hint: 'Wait for it or cancel it.', retryable: true },
  INTERRUPTED: { title: 'Vessel was stopped in the middle of this', hint: 'Press Retry: finished steps are not repeated.', retryable: true },

  HOST_UNREACHABLE: { title: 'The host does not answer', hint: 'Check that the machine is on and run the doctor.', retryable: true },
  HOST_NOT_READY: { title: 'This host is not provisioned yet', hint: 'Provision the host first: `vessel host provision local`.', retryable: false },
  HOST_UNSUPPORTED: { title: 'This host cannot run microVMs', hint: 'Use Debian 12+ or Ubuntu 22.04+ on x86_64.', retryable: false },
  HOST_PERMISSION: { title: 'The host refuses an operation', hint: 'Run with the rights the message names.', retryable: false },
  HOST_RESOURCES: { title: 'The host has not enough memory or disk for this', hint: 'Close an environment, or choose a smaller tier.', retryable: true },
  HOST_VERSION: { title: 'Vessel and the agent on the host speak different versions', hint: 'Update the older of the two, then provision again.', retryable: false },
  AGENT_LOST: { title: 'infra-agent ended unexpectedly', hint: 'Try again: Vessel starts it anew and finds running environments.', retryable: true },
  ACCELERATOR_UNUSABLE: { title: 'Hardware virtualisation exists but does not run a guest', hint: 'Vessel falls back to emulation; enable nested virtualisation for full speed.', retryable: false },
  PROVISION_FAILED: { title: 'A provisioning step failed', hint: 'Read the evidence below, repair it and provision again: finished steps are kept.', retryable: true },
  IMAGE_MISSING: { title: 'The golden image is not on the host', hint: 'Provision the host.', retryable: true },
  TEMPLATE_MISSING: { title: 'No usable template for this size', hint: 'Vessel boots cold and rebuilds the template in the background.', retryable: true },
  VM_EXISTS: { title: 'An environment of this name already exists on the host', hint: 'Reconcile, then open it or stop it.', retryable: false },
  VM_NOT_FOUND: { title: 'The environment is not on the host', hint: 'Open the project again; your last save is safe.', retryable: false },
  VM_START_FAILED: { title: 'The microVM did not start', hint: 'Retry; if it repeats, run the doctor and read the hypervisor log.', retryable: true },
  VM_DIED: { title: 'The microVM ended by itself', hint: 'Open the project again from the last verified save.', retryable: true },

  GUEST_UNREACHABLE: { title: 'The guest agent does not answer', hint: 'Retry; the environment is kept until you decide.', retryable: true },
  GUEST_UNAUTHORIZED: { title: 'The guest refused the token', hint: 'Stop the environment and open it again.', retryable: false },
  GUEST_TIMEOUT: { title: 'The guest did not become ready in time', hint: 'Retry; if it repeats, rebuild the template.', retryable: true },
  IDE_NOT_READY: { title: 'VS Code did not start inside the guest', hint: 'Retry; read the IDE log of the environment.', retryable: true },
  GUEST_PORT_CLOSED: { title: 'Nothing listens on that guest port', hint: 'Start your server in the guest, then reload.', retryable: true },
  EXEC_FAILED: { title: 'The command could not be started', hint: 'Check the command and its path.', retryable: false },

  ARCHIVE_CORRUPT: { title: 'The archive is damaged', hint: 'Restore an earlier revision from the history.', retryable: false },
  ARCHIVE_UNSAFE: { title: 'The archive holds paths or links that leave the workspace', hint: 'Remove the named entries and import again.', retryable: false },
  ARCHIVE_TOO_LARGE: { title: 'The archive exceeds the size or entry limit', hint: 'Raise the limit in settings if you trust the archive.', retryable: false },
  DISK_FULL: { title: 'The disk is full', hint: 'Free space, then press Retry: the environment is still running and nothing is lost.', retryable: true },
  SAVE_NOT_VERIFIED: { title: 'The saved archive did not read back the same', hint: 'The environment is kept. Check the disk, then save again.', retryable: true },
  SAVE_CONFLICT: { title: 'The project was saved from elsewhere meanwhile', hint: 'Reload the history and choose; both revisions are kept.', retryable: true },
  STORE_FAILED: { title: 'The cold store refused the archive', hint: 'Check the folder and its free space, then save again.', retryable: true },
  STORE_CORRUPT: { title: 'The local database cannot be read', hint: 'Vessel kept a copy beside it; see the path in the details.', retryable: false },
  REVISION_PROTECTED: { title: 'The last revision of a project is never deleted', hint: 'Delete the project instead; it stays recoverable.', retryable: false },
  PORT_IN_USE: { title: 'The port is taken', hint: 'Choose another with --port.', retryable: true },
  ALREADY_RUNNING: { title: 'Vessel already runs with this home', hint: 'Use the running one, or stop it with `vessel quit`.', retryable: false },
  SERVER_UNREACHABLE: { title: 'Vessel does not answer', hint: 'Start it with `vessel serve`, or read `logs/server.log` in its home.', retryable: true },
  SERVER_START_FAILED: { title: 'Vessel could not be started in the background', hint: 'Run `vessel serve --foreground` and read what it says.', retryable: true },
} as const satisfies Readonly<Record<string, { readonly title: string; readonly hint: string; readonly retryable: boolean }>>;

export type ErrorCode = keyof typeof ERROR_CODES;
