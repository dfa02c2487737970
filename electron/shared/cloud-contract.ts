import { z } from 'zod';
import { ErrorShapeSchema } from './errors.ts';
import { ProjectIdSchema } from './ids.ts';

/** Where projects rest besides this computer. `local` is nowhere else. */
export const StoreKindSchema = z.enum(['local', 'supabase', 's3']);
export type StoreKind = z.infer<typeof StoreKindSchema>;

/** What a plan takes; null where there is no limit. Bytes. */
export const PlanSchema = z.object({ maxFileBytes: z.number().int().positive().nullable(), totalBytes: z.number().int().positive().nullable() });

/** A bucket of any S3-compatible server; its secret key is kept apart and never shown. */
export const BucketSchema = z.object({
  endpoint: z.url(), region: z.string().min(1).default('us-east-1'), bucket: z.string().min(1), prefix: z.string().regex(/^(?:[A-Za-z0-9._-]+\/)*$/).default('vessel/'), accessKeyId: z.string().min(1),
});

export const AccountStatusSchema = z.object({
  /** `not-configured` and `signed-out` ask for a person; `offline`, `paused` and `failing` mend by themselves; `over-quota` needs room. */
  state: z.enum(['not-configured', 'signed-out', 'online', 'offline', 'over-quota', 'paused', 'failing']),
  url: z.string().nullable(),
  email: z.string().nullable(),
  bucket: BucketSchema.nullable(),
  device: z.object({ id: z.string(), name: z.string() }),
  /** Where new projects rest. */
  defaultStore: StoreKindSchema,
  plan: PlanSchema,
  /** As last counted; null when not counted yet. */
  usedBytes: z.number().nullable(),
  /** Changes that are still only on this computer. */
  pending: z.number().int(),
  working: z.boolean(),
  lastSyncAt: z.number().nullable(),
  error: ErrorShapeSchema.nullable(),
});
export type AccountStatus = z.infer<typeof AccountStatusSchema>;

export const SyncReportSchema = z.object({ pushed: z.number().int(), pulled: z.number().int(), pending: z.number().int(), error: ErrorShapeSchema.nullable() });

const call = <I extends z.ZodType, O extends z.ZodType>(input: I, output: O) => ({ input, output });
const project = z.object({ projectId: ProjectIdSchema });
const email = z.email().max(254);
const password = z.string().min(6).max(200);

/** Calls about the account, the cloud back ends and the sync with them. */
export const cloudCalls = {
  'account.status': call(z.object({}), AccountStatusSchema),
  /** Sets the Supabase project; null forgets it (and signs out). */
  'account.configure': call(z.object({ project: z.object({ url: z.url({ protocol: /^https?$/ }), publishableKey: z.string().min(8).max(1000) }).nullable() }), AccountStatusSchema),
  /** Sets the S3 bucket and its secret key; null forgets both. */
  'account.configureBucket': call(z.object({ bucket: BucketSchema.extend({ secretAccessKey: z.string().min(1) }).nullable() }), AccountStatusSchema),
  'account.setPlan': call(PlanSchema, AccountStatusSchema),
  'account.setDefaultStore': call(z.object({ store: StoreKindSchema }), AccountStatusSchema),
  /** `confirm` true: the address must be confirmed by the e-mail first, then sign in. */
  'account.signUp': call(z.object({ email, password }), z.object({ confirm: z.boolean(), status: AccountStatusSchema })),
  /** Refused with CONFLICT while changes of another account wait here, unless `leave` gives them up for the cloud (they stay on this computer). */
  'account.signIn': call(z.object({ email, password, leave: z.boolean().default(false) }), AccountStatusSchema),
  'account.signOut': call(z.object({}), AccountStatusSchema),
  'account.resetPassword': call(z.object({ email }), z.object({ ok: z.literal(true) })),
  'account.finishReset': call(z.object({ email, code: z.string().min(4).max(64), password }), AccountStatusSchema),
  /** Fetches what is only in the cloud, then removes everything there. Projects stay on this computer. `confirm` repeats the e-mail address. */
  'account.deleteData': call(z.object({ confirm: z.string() }), z.object({ projects: z.number().int(), objects: z.number().int() })),

  /** Tries everything now. A cloud that cannot be reached is told in `error`, not thrown. */
  'sync.now': call(z.object({}), SyncReportSchema),
  'sync.takeOver': call(project, z.object({ ok: z.literal(true) })),
  /** Ends a conflict: `mine` makes the branch's content the newest revision, `theirs` leaves things as they are. Both stay in the history. */
  'sync.resolve': call(project.extend({ keep: z.enum(['mine', 'theirs']) }), z.object({ operationId: z.string().nullable() })),

  /** Moves where a project rests besides this computer. To `local`: everything is fetched, then removed there. */
  'projects.moveToStore': call(project.extend({ store: StoreKindSchema }), z.object({ operationId: z.string() })),
  /** Writes every revision of every project into a folder that does not exist or is empty, with what is known of them as JSON. */
  'projects.exportAll': call(z.object({ path: z.string() }), z.object({ path: z.string(), projects: z.number().int(), archives: z.number().int(), bytes: z.number() })),
} as const;
