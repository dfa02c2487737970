import type { AnyAuthMethod, AuthHandlerMiddleware, Prompt } from 'ssh2';
import { VesselError } from '#shared/errors.ts';
import type { SshHop } from './config.ts';
import { findIdentities, type Identity } from './identities.ts';
import type { Questions } from './questions.ts';

/** A server may ask again and again (password, then a code, then a new password); beyond this it plays with us. */
const MAX_ROUNDS = 12;

/**
 * Decides what to try next while a server lets us in: nothing (to learn what it offers), keys, then the host's own
 * questions, then a password; after a first factor was taken, whatever the server still wants.
 *
 * ssh2 tells the authentication handler neither that a key was taken as a first factor nor which methods are left then,
 * so both are followed here: `noteFailure` hears each refusal, the identities are tried one at a time.
 */
export class Login {
  readonly #hop: SshHop;
  readonly #questions: Questions;
  readonly #fail: (error: VesselError) => void;
  readonly #tried = new Set<string>();
  readonly #partial: string[] = [];
  #notes: readonly string[] = [];
  #identities: Identity[] | null = null;
  #offered: readonly string[] = [];
  #firstOffer: readonly string[] | null = null;
  #current: { readonly method: string; readonly name: string; signed: boolean } | null = null;
  #passwords = 0;
  #password: { readonly value: string; readonly remember: boolean } | null = null;
  #rememberedTried = false;
  #conversations = 0;
  #rounds = 0;

  constructor(hop: SshHop, questions: Questions, fail: (error: VesselError) => void) {
    this.#hop = hop;
    this.#questions = questions;
    this.#fail = fail;
  }

  get #subject(): string { return `${this.#hop.user}@${this.#hop.host}`; }
  get #secretName(): string { return `ssh-password:${this.#hop.user}@${this.#hop.host}:${this.#hop.port}`; }

  readonly handler: AuthHandlerMiddleware = (_methods, _partial, next) => {
    this.#next().then(
      (method) => { if (method !== null) next(method); },
      (error: unknown) => this.#fail(VesselError.from(error)),
    );
  };

  /** The server refused, or took a first factor and wants more; `methods` are those it still takes. */
  noteFailure(methods: readonly string[]): void {
    // The answer to our opening "none" is what the server offers.
    this.#firstOffer ??= methods;
    this.#offered = methods;
  }

  /** The password that got us in is kept, so that reconnecting needs nobody. */
  async succeeded(): Promise<void> {
    if (this.#password !== null) await this.#questions.keep(this.#secretName, this.#password.value, this.#password.remember);
  }

  async #next(): Promise<AnyAuthMethod | null> {
    const username = this.#hop.user;
    this.#settleCurrent();
    if (this.#firstOffer === null) return { type: 'none', username };
    for (const method of this.#hop.methods) {
      if (!this.#offered.includes(method)) continue;
      const next = method === 'publickey' ? await this.#publicKey() : method === 'password' ? await this.#passwordMethod() : this.#conversation();
      if (next !== null) return next;
    }
    throw this.#exhausted();
  }

  async #publicKey(): Promise<AnyAuthMethod | null> {
    const identity = await this.#nextIdentity();
    if (identity === undefined) return null;
    this.#current = { method: 'publickey', name: identity.name, signed: false };
    this.#tried.add(`publickey (${identity.name})`);
    return { type: 'agent', username: this.#hop.user, agent: this.#watched(identity) };
  }

  #conversation(): AnyAuthMethod | null {
    if (this.#conversations >= this.#hop.passwordAttempts || !(this.#questions.canAsk || this.#usableForAnswers())) return null;
    this.#conversations += 1;
    this.#current = { method: 'keyboard-interactive', name: 'keyboard-interactive', signed: false };
    this.#tried.add('keyboard-interactive');
    return { type: 'keyboard-interactive', username: this.#hop.user, prompt: (name, instructions, _language, prompts, finish) => this.#converse([name, instructions], prompts, finish) };
  }

  async #passwordMethod(): Promise<AnyAuthMethod | null> {
    const password = await this.#nextPassword();
    if (password === null) return null;
    this.#tried.add('password');
    return { type: 'password', username: this.#hop.user, password };
  }

  /** A key that signed and still did not end the login was taken as a first factor; another key would not help then. */
  #settleCurrent(): void {
    const current = this.#current;
    this.#current = null;
    if (current?.signed !== true) return;
    this.#partial.push(current.name);
    this.#conversations = 0;
  }

  async #nextIdentity(): Promise<Identity | undefined> {
    if (this.#identities === null) {
      const { identities, notes } = await findIdentities(this.#hop, this.#questions);
      this.#identities = [...identities];
      this.#notes = notes;
    }
    return this.#identities.shift();
  }

  #watched(identity: Identity): Identity['agent'] {
    const { agent } = identity;
    const sign = agent.sign.bind(agent) as (...args: unknown[]) => void;
    const current = this.#current;
    agent.sign = ((key: unknown, data: unknown, options: unknown, done: (error: Error | null, signature?: Buffer) => void): void => {
      sign(key, data, options, (error: Error | null, signature?: Buffer) => {
        // A declined or impossible passphrase ends the login with its own code instead of "all methods failed".
        if (error instanceof VesselError) this.#fail(error);
        else if (error === null && current !== null) current.signed = true;
        done(error, signature);
      });
    }) as typeof agent.sign;
    return agent;
  }

  #usableForAnswers(): boolean { return !this.#rememberedTried; }

  /** One round of the host's questions. Ends the login when nobody answers. */
  #converse(texts: readonly string[], prompts: readonly Prompt[], finish: (answers: string[]) => void): void {
    this.#answer(texts, prompts).then(finish, (error: unknown) => this.#fail(VesselError.from(error)));
  }

  async #answer(texts: readonly string[], prompts: readonly Prompt[]): Promise<string[]> {
    this.#rounds += 1;
    if (this.#rounds > MAX_ROUNDS) throw new VesselError('SSH_AUTH_FAILED', `${this.#subject} asks without end`);
    const [only] = prompts;
    // PAM asks for the plain password in this way: a remembered one is tried once, so that reconnecting needs nobody.
    const wantsPassword = prompts.length === 1 && only !== undefined && only.echo !== true && /password/i.test(only.prompt) && !/(one|time|new|otp|code|token)/i.test(only.prompt);
    if (wantsPassword && !this.#rememberedTried) {
      this.#rememberedTried = true;
      const known = await this.#questions.remembered(this.#secretName);
      if (known !== null) return [known];
    }
    const answer = await this.#questions.ask({
      kind: 'questions', subject: this.#subject, instructions: texts.filter((text) => text !== '').join('\n'),
      fields: prompts.map(({ prompt, echo }) => ({ label: prompt.trim(), echo: echo === true })), mayRemember: wantsPassword, attempt: this.#conversations,
    });
    if (answer === null) {
      throw wantsPassword
        ? new VesselError('SSH_PASSWORD_NEEDED', `${this.#subject} wants a password and nobody can be asked for it`, { details: this.#details() })
        : new VesselError('SSH_ANSWER_NEEDED', `${this.#subject} asks "${prompts.map(({ prompt }) => prompt.trim()).join('", "')}" and nobody can be asked for the answer`, { details: this.#details() });
    }
    if (wantsPassword) this.#password = { value: answer.answers[0] ?? '', remember: answer.remember };
    return prompts.map((_prompt, index) => answer.answers[index] ?? '');
  }

  async #nextPassword(): Promise<string | null> {
    if (!this.#rememberedTried) {
      this.#rememberedTried = true;
      const known = await this.#questions.remembered(this.#secretName);
      if (known !== null) return known;
    }
    if (this.#passwords >= this.#hop.passwordAttempts) return null;
    this.#passwords += 1;
    const answer = await this.#questions.ask({ kind: 'password', subject: this.#subject, instructions: '', fields: [{ label: `Password of ${this.#subject}`, echo: false }], mayRemember: true, attempt: this.#passwords });
    if (answer === null) return null;
    this.#password = { value: answer.answers[0] ?? '', remember: answer.remember };
    return this.#password.value;
  }

  #details(): Record<string, unknown> {
    return { user: this.#hop.user, host: this.#hop.host, port: this.#hop.port, offered: this.#firstOffer ?? [], tried: [...this.#tried], taken: this.#partial, stillWanted: this.#offered, notes: this.#notes };
  }

  /** Ways that the server offers and nobody here took. */
  #unspoken(): readonly string[] {
    const { methods } = this.#hop;
    return (this.#firstOffer ?? []).flatMap((method) => {
      if ((methods as readonly string[]).includes(method)) return [];
      return ['publickey', 'keyboard-interactive', 'password'].includes(method) ? [`${method} is switched off in the SSH configuration`] : [`${method} is not spoken by Vessel`];
    });
  }

  #exhausted(): VesselError {
    const details = this.#details();
    const couldAsk = this.#questions.canAsk;
    if (!couldAsk && this.#partial.length > 0) return new VesselError('SSH_ANSWER_NEEDED', `${this.#subject} took ${this.#partial.join(', ')} and wants ${this.#offered.join(' or ')} as well`, { details });
    if (!couldAsk && this.#hop.methods.some((method) => method !== 'publickey' && this.#offered.includes(method))) {
      return new VesselError('SSH_PASSWORD_NEEDED', `${this.#subject} takes none of the keys (${list([...this.#tried])}) and nobody can be asked for a password`, { details });
    }
    const all = [...this.#notes, ...this.#unspoken(), ...this.#hop.notices];
    const notes = all.length === 0 ? '' : `; ${all.join('; ')}`;
    return new VesselError('SSH_AUTH_FAILED', `${this.#subject} refused every way to log in: offered ${list(this.#firstOffer ?? [])}; tried ${list([...this.#tried])}${notes}`, { details });
  }
}

const list = (names: readonly string[]): string => names.length === 0 ? 'nothing' : names.join(', ');
