import type { HostProbe } from '#shared/contract.ts';
import { VesselError } from '#shared/errors.ts';
import { asRoot } from '../../../domain/as-root.ts';
import type { Prompter } from '../../../ports/prompter.ts';
import type { RemoteHost, RemoteRunOptions, RemoteRunResult } from '../../../ports/remote-host.ts';
import type { SecretStore } from '../../../ports/secret-store.ts';

export type RootAccessOptions = {
  readonly host: Pick<RemoteHost, 'run' | 'probe'>;
  readonly secrets: SecretStore;
  /** Name of the password in the store; null while the configuration does not say how the host is reached. */
  readonly secretName: () => Promise<string | null>;
};

/** A command line for root, and what has to be written to its stdin before anything else. */
export type RootCommand = { readonly argv: readonly string[]; readonly preamble: string };

/** As sudo itself. */
const MAX_ATTEMPTS = 3;
const CHECK_DEADLINE_MS = 20_000;

/** Root's rights on a host: by logging in as root, or through sudo. A password is asked once and lives in the secret store, never in arguments. */
export class RootAccess {
  readonly #options: RootAccessOptions;
  #probe: HostProbe | null = null;

  constructor(options: RootAccessOptions) { this.#options = options; }

  /** What the machine is, seen now. */
  async look(signal?: AbortSignal): Promise<HostProbe> {
    this.#probe = await this.#options.host.probe(signal);
    return this.#probe;
  }

  /** Tries the rights, asking where it must. Throws SUDO_UNAVAILABLE, SUDO_PASSWORD_NEEDED, SSH_PROMPT_CANCELLED. */
  async authorize(prompter: Prompter | null, signal?: AbortSignal): Promise<void> {
    const probe = await this.look(signal);
    if (probe.sudo !== 'password') {
      asRoot(probe, ['true'], { password: false });
      return;
    }
    const known = await this.#password();
    if (known !== null && await this.#works(probe, known, signal)) return;
    await this.#forget();
    if (prompter === null) throw new VesselError('SUDO_PASSWORD_NEEDED', `sudo asks ${probe.user} for a password on ${probe.hostname}`, { details: { user: probe.user, hostname: probe.hostname } });
    for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt += 1) {
      const answer = await prompter.ask({
        kind: 'password', subject: `sudo ${probe.user}@${probe.hostname}`, instructions: `Vessel acts as root on ${probe.hostname} to set it up and to run environments.`,
        fields: [{ label: `Password of ${probe.user} for sudo on ${probe.hostname}`, echo: false }], mayRemember: true, attempt,
      }, signal ?? new AbortController().signal);
      if (answer === null) throw new VesselError('SSH_PROMPT_CANCELLED', 'The password for sudo was not given');
      const password = answer.answers[0] ?? '';
      if (!await this.#works(probe, password, signal)) continue;
      const name = await this.#options.secretName();
      if (name !== null) await this.#options.secrets.put(name, password, answer.remember ? 'forever' : 'session');
      return;
    }
    throw new VesselError('SUDO_UNAVAILABLE', `sudo on ${probe.hostname} took none of the passwords`, { details: { user: probe.user, hostname: probe.hostname } });
  }

  /** Throws SUDO_PASSWORD_NEEDED when nobody has given the password yet. */
  async command(argv: readonly string[], signal?: AbortSignal): Promise<RootCommand> {
    const probe = this.#probe ?? await this.look(signal);
    if (probe.sudo !== 'password') return { argv: asRoot(probe, argv, { password: false }), preamble: '' };
    const password = await this.#password();
    if (password === null) throw new VesselError('SUDO_PASSWORD_NEEDED', `sudo asks ${probe.user} for a password on ${probe.hostname}`, { details: { user: probe.user, hostname: probe.hostname } });
    return { argv: asRoot(probe, argv, { password: true }), preamble: `${password}\n` };
  }

  /** Runs a command as root to its end. `input` is what the command itself reads. */
  async run(argv: readonly string[], { input, ...options }: Omit<RemoteRunOptions, 'stdin'> & { readonly input?: string } = {}): Promise<RemoteRunResult> {
    const { argv: full, preamble } = await this.command(argv, options.signal);
    return this.#options.host.run(full, { ...options, stdin: `${preamble}${input ?? ''}` });
  }

  async #password(): Promise<string | null> {
    const name = await this.#options.secretName();
    return name === null ? null : this.#options.secrets.get(name);
  }

  async #forget(): Promise<void> {
    const name = await this.#options.secretName();
    if (name !== null) await this.#options.secrets.remove(name);
  }

  async #works(probe: HostProbe, password: string, signal: AbortSignal | undefined): Promise<boolean> {
    if (password.includes('\n')) return false;
    const { code, stderr } = await this.#options.host.run(asRoot(probe, ['true'], { password: true }), { stdin: `${password}\n`, deadlineMs: CHECK_DEADLINE_MS, ...(signal === undefined ? {} : { signal }) });
    if (code !== 0 && /not in the sudoers|not allowed to (run|execute)|may not run sudo/i.test(stderr)) {
      throw new VesselError('SUDO_UNAVAILABLE', `${probe.user} may not use sudo on ${probe.hostname}`, { details: { user: probe.user, hostname: probe.hostname } });
    }
    return code === 0;
  }
}
