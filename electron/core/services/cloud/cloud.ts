import { VesselError } from '#shared/errors.ts';
import { BucketSchema, PlanSchema, type AccountStatus, type StoreKind } from '#shared/cloud-contract.ts';
import { z } from 'zod';
import type { CloudAccount, CloudConnector, CloudUser, Device, S3Settings } from '../../ports/cloud.ts';
import type { RemoteArchives, RemoteBackend, RemoteKind } from '../../ports/remote-store.ts';
import { audit, type ServiceContext } from '../context.ts';
import { CloudLimits, FREE_PLAN, type PlanLimits } from './limits.ts';
import { requirePublishable } from './publishable-key.ts';
import type { BeforeUpload } from './secret-warner.ts';
import { Sync } from './sync.ts';
import { Encryption } from './encryption.ts';
import { makeEncryptionPins } from './encryption-pins.ts';
import { makeSealedNames } from './sealed-names.ts';

const ProjectFact = z.object({ url: z.string(), publishableKey: z.string() });
const S3_SECRET = 's3-secret-key';
/** Failures of a project that mean the cloud rather than the project. */
const OF_THE_CLOUD: readonly string[] = ['CLOUD_OVER_QUOTA', 'CLOUD_FAILED', 'CLOUD_REFUSED', 'CLOUD_OFFLINE'];
const UNLIMITED: PlanLimits = { maxFileBytes: null, totalBytes: null };

/** The clouds of this computer: which are set up, who is signed in, and the sync with them. Starts and works without a network. */
export class Cloud {
  readonly context: ServiceContext;
  readonly sync: Sync;
  readonly encryption: Encryption;
  readonly device: Device;
  readonly limits: CloudLimits;
  readonly #connector: CloudConnector;
  #account: CloudAccount | null = null;
  readonly #backends = new Map<RemoteKind, RemoteBackend>();
  #ready: Promise<void> = Promise.resolve();

  constructor(context: ServiceContext, connector: CloudConnector, beforeUpload?: BeforeUpload) {
    this.context = context;
    this.#connector = connector;
    this.device = { id: this.#deviceId(), name: connector.deviceName };
    this.limits = new CloudLimits((kind) => (kind === 'supabase' ? this.plan : UNLIMITED), context.runtime.now);
    this.sync = new Sync({ context, device: this.device, limits: this.limits, beforeUpload, backends: (kind) => this.backend(kind), onPulled: (kind) => this.encryption.looked(kind), heldBack: (kind) => this.encryption.heldBack(kind) });
    this.encryption = new Encryption({
      context, keys: connector.keys, sync: () => this.sync.now(),
      stores: () => (['supabase', 's3'] as const).flatMap((kind) => { const encryption = this.backend(kind)?.encryption; return encryption === undefined ? [] : [{ kind, encryption }]; }),
    });
  }

  /** Connects what is set up and begins to sync in the background. Asks no network before it returns. */
  start(): void {
    this.#ready = this.#connect().catch((error: unknown) => this.context.runtime.log(`cloud: ${VesselError.from(error).message}`)).then(() => { this.sync.start(); this.encryption.start(); });
  }
  async stop(): Promise<void> { await this.#ready; await this.sync.stop(); }
  /** Resolves when the kept session was read. */
  whenReady(): Promise<void> { return this.#ready; }

  /** The back end that can be used now: set up, and somebody signed in where that is needed. */
  backend(kind: RemoteKind): RemoteBackend | null {
    if (kind === 'supabase' && this.#account?.user == null) return null;
    return this.#backends.get(kind) ?? null;
  }
  /** Throws CLOUD_NOT_CONFIGURED or CLOUD_SIGNED_OUT. */
  requireBackend(kind: RemoteKind): RemoteBackend {
    const backend = this.backend(kind);
    if (backend !== null) return backend;
    throw new VesselError(this.#backends.has(kind) ? 'CLOUD_SIGNED_OUT' : 'CLOUD_NOT_CONFIGURED');
  }
  /** Where a project's archives can be fetched from. */
  archivesOf(projectId: string): RemoteArchives | null {
    const record = this.context.store.sync.get(projectId);
    return record === null ? null : this.backend(record.store)?.archives ?? null;
  }

  /** Those that can be asked now. */
  reachable(): readonly RemoteBackend[] {
    return [...this.#backends.keys()].flatMap((kind) => this.backend(kind) ?? []);
  }

  get plan(): PlanLimits {
    const parsed = PlanSchema.safeParse(this.#fact('plan'));
    return parsed.success ? parsed.data : FREE_PLAN;
  }

  async status(): Promise<AccountStatus> {
    await this.#ready;
    const { store } = this.context;
    const project = ProjectFact.safeParse(this.#fact('supabase'));
    const bucket = BucketSchema.safeParse(this.#fact('s3'));
    const { problem } = this.sync;
    // Rows may go through while archives do not: what keeps a project from going up says how the cloud is.
    const stuck = problem ?? store.sync.list().find(({ error }) => error !== null && OF_THE_CLOUD.includes(error.code))?.error ?? null;
    return {
      state: this.#state(project.success, bucket.success, stuck?.code ?? null), url: project.success ? project.data.url : null, email: this.#account?.user?.email ?? null,
      bucket: bucket.success ? bucket.data : null, device: this.device, defaultStore: this.#defaultStore(), plan: this.plan, usedBytes: this.limits.used('supabase'),
      pending: store.sync.outbox.count(null), working: this.sync.working, lastSyncAt: this.sync.lastSyncAt, error: stuck,
    };
  }

  async configure(project: z.infer<typeof ProjectFact> | null): Promise<void> {
    await this.#ready;
    if (project !== null) requirePublishable(project.publishableKey);
    const url = project === null ? null : project.url.replace(/(?<!\/)\/+$/, '');
    if (url !== this.#url()) await this.#account?.signOut();
    this.context.store.sync.facts.put('supabase', project === null ? null : JSON.stringify({ ...project, url }));
    if (project === null && this.#defaultStore() === 'supabase') this.setDefaultStore('local');
    await this.#connect();
    audit(this.context, { kind: 'account.configured', text: project === null ? 'The cloud project was forgotten' : `Cloud project ${url ?? ''}` });
  }

  async configureBucket(bucket: (S3Settings & { readonly secretAccessKey: string }) | null): Promise<void> {
    await this.#ready;
    if (bucket === null) {
      await this.#connector.secrets.remove(S3_SECRET);
      this.context.store.sync.facts.put('s3', null);
      if (this.#defaultStore() === 's3') this.setDefaultStore('local');
    } else {
      const { secretAccessKey, ...settings } = bucket;
      await this.#connector.secrets.put(S3_SECRET, secretAccessKey, 'forever');
      this.context.store.sync.facts.put('s3', JSON.stringify(settings));
    }
    await this.#connect();
  }

  setPlan(plan: PlanLimits): void {
    this.context.store.sync.facts.put('plan', JSON.stringify(plan));
    this.context.store.sync.outbox.hurry();
  }
  /** Where new projects rest. Throws CLOUD_NOT_CONFIGURED. */
  setDefaultStore(store: StoreKind): void {
    if (store !== 'local' && !this.#backends.has(store)) throw new VesselError('CLOUD_NOT_CONFIGURED');
    this.context.store.sync.facts.put('defaultStore', store === 'local' ? null : store);
  }

  /** False when the address must be confirmed first. */
  async signUp(email: string, password: string): Promise<boolean> {
    const user = await this.#requireAccount().signUp(email, password);
    if (user !== null) this.#signedIn(user, true);
    return user !== null;
  }
  async signIn(email: string, password: string, leave: boolean): Promise<void> {
    const account = this.#requireAccount();
    const user = await account.signIn(email, password);
    try {
      this.#signedIn(user, leave);
    } catch (error) {
      await account.signOut();
      throw error;
    }
  }
  async finishReset(email: string, code: string, password: string): Promise<void> { this.#signedIn(await this.#requireAccount().finishReset(email, code, password), false); }
  async sendReset(email: string): Promise<void> { await this.#requireAccount().sendReset(email); }
  /** Projects and what is owed stay; the same account goes on with them. */
  async signOut(): Promise<void> {
    await this.#ready;
    await this.#account?.signOut();
    audit(this.context, { kind: 'account.signed-out', text: 'Signed out of the cloud' });
  }
  get user(): CloudUser | null { return this.#account?.user ?? null; }

  /** Another account's projects stay on this computer only. Throws CONFLICT while changes of theirs wait. */
  #signedIn(user: CloudUser, leave: boolean): void {
    const { sync } = this.context.store;
    const before = sync.facts.get('user');
    if (before !== null && before !== user.userId) {
      const theirs = sync.list().filter(({ store }) => store === 'supabase');
      const waiting = theirs.filter(({ projectId }) => sync.outbox.count(projectId) > 0);
      if (waiting.length > 0 && !leave) throw new VesselError('CONFLICT', `${waiting.length} projects of ${sync.facts.get('email') ?? 'another account'} have changes that are not in the cloud yet`, { retryable: false, hint: 'Sign in as that account first and let them go up, or leave them on this computer.' });
      for (const { projectId } of theirs) { sync.forget(projectId); this.context.feed.project(projectId); }
      sync.facts.put('cursor:supabase', null);
      this.encryption.forget();
    }
    sync.facts.put('user', user.userId);
    sync.facts.put('email', user.email);
    // Who signs in wants the cloud.
    if (sync.facts.get('defaultStore') === null && before === null) sync.facts.put('defaultStore', 'supabase');
    this.limits.forget();
    audit(this.context, { kind: 'account.signed-in', text: `Signed in as ${user.email}` });
    void this.sync.now();
  }

  #state(hasProject: boolean, hasBucket: boolean, code: string | null): AccountStatus['state'] {
    if (!hasProject && !hasBucket) return 'not-configured';
    if (hasProject && this.#account?.user == null) return 'signed-out';
    switch (code) {
      case null: return 'online';
      case 'CLOUD_SIGNED_OUT': return 'signed-out';
      case 'CLOUD_OFFLINE': return 'offline';
      case 'CLOUD_PAUSED': return 'paused';
      case 'CLOUD_OVER_QUOTA': return 'over-quota';
      default: return 'failing';
    }
  }

  async #connect(): Promise<void> {
    const { uploads, facts } = this.context.store.sync;
    const names = makeSealedNames(facts);
    this.#backends.clear();
    this.#account = null;
    const project = ProjectFact.safeParse(this.#fact('supabase'));
    if (project.success) {
      const { account, backend } = this.#connector.supabase(project.data, this.device, uploads);
      this.#backends.set('supabase', this.#connector.sealed(backend, names, makeEncryptionPins(facts, () => `supabase:${account.user?.userId ?? ''}`)));
      this.#account = account;
      await account.load();
    }
    const bucket = BucketSchema.safeParse(this.#fact('s3'));
    const secret = bucket.success ? await this.#connector.secrets.get(S3_SECRET) : null;
    if (bucket.success && secret !== null) this.#backends.set('s3', this.#connector.sealed(this.#connector.s3(bucket.data, secret, this.device, uploads), names, makeEncryptionPins(facts, () => `s3:${bucket.data.bucket}/${bucket.data.prefix}`)));
  }

  #requireAccount(): CloudAccount {
    if (this.#account === null) throw new VesselError('CLOUD_NOT_CONFIGURED');
    return this.#account;
  }
  #url(): string | null { const project = ProjectFact.safeParse(this.#fact('supabase')); return project.success ? project.data.url : null; }
  #defaultStore(): StoreKind { return (this.context.store.sync.facts.get('defaultStore') as RemoteKind | null) ?? 'local'; }
  #fact(key: string): unknown { const text = this.context.store.sync.facts.get(key); return text === null ? null : JSON.parse(text); }
  #deviceId(): string {
    const { facts } = this.context.store.sync;
    const known = facts.get('device');
    if (known !== null) return known;
    const made = crypto.randomUUID();
    facts.put('device', made);
    return made;
  }
}
