import { z } from 'zod';
import { ErrorShapeSchema } from './errors.ts';

export const OPERATION_KINDS = ['open', 'save', 'close', 'provision', 'unprovision', 'import', 'export', 'restore', 'rescue', 'discard', 'move', 'edit', 'fsck', 'encrypt', 'decrypt'] as const;
export const StepStateSchema = z.enum(['pending', 'running', 'done', 'skipped', 'failed', 'cancelled']);
export type StepState = z.infer<typeof StepStateSchema>;

/** One named stage of an operation. Times are Unix milliseconds. */
export const StepSchema = z.object({
  id: z.string(),
  title: z.string(),
  /** Share of the whole, any positive unit; progress is the weighted mean. */
  weight: z.number().positive(),
  state: StepStateSchema,
  /** 0–1 inside this step. */
  progress: z.number().min(0).max(1),
  /** What is happening right now, or the evidence of how it ended. */
  detail: z.string().default(''),
  startedAt: z.number().nullable(),
  endedAt: z.number().nullable(),
});
export type Step = z.infer<typeof StepSchema>;

export const OperationSchema = z.object({
  id: z.string(),
  kind: z.enum(OPERATION_KINDS),
  title: z.string(),
  projectId: z.string().nullable(),
  hostId: z.string().nullable(),
  state: z.enum(['running', 'succeeded', 'failed', 'cancelled']),
  steps: z.array(StepSchema),
  /** 0–1 over all steps, weighted. */
  progress: z.number().min(0).max(1),
  cancellable: z.boolean(),
  startedAt: z.number(),
  endedAt: z.number().nullable(),
  /** The last log sequence number that exists. */
  lastSeq: z.number().int(),
  result: z.unknown().nullable(),
  error: ErrorShapeSchema.nullable(),
});
export type Operation = z.infer<typeof OperationSchema>;

export const LogLineSchema = z.object({
  /** Starts at 1, no gaps within an operation. */
  seq: z.number().int(),
  at: z.number(),
  stepId: z.string().nullable(),
  level: z.enum(['debug', 'info', 'warn', 'error']),
  text: z.string(),
});
export type LogLine = z.infer<typeof LogLineSchema>;

export const OperationEventSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('operation'), operation: OperationSchema }),
  z.object({ kind: z.literal('log'), line: LogLineSchema }),
]);
export type OperationEvent = z.infer<typeof OperationEventSchema>;
