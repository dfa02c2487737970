import { z } from 'zod';
import { ErrorShapeSchema } from './errors.ts';

/**
 * The frames of the WebSocket at `/api/socket` (JSON text, one frame a message), the same for every door.
 * `id` is chosen by the client and is unique on its connection.
 */
export const ClientFrameSchema = z.discriminatedUnion('t', [
  z.object({ t: z.literal('call'), id: z.number().int(), name: z.string(), input: z.unknown() }),
  z.object({ t: z.literal('stream'), id: z.number().int(), name: z.string(), input: z.unknown() }),
  z.object({ t: z.literal('cancel'), id: z.number().int() }),
]);
export type ClientFrame = z.infer<typeof ClientFrameSchema>;
export const ServerFrameSchema = z.discriminatedUnion('t', [
  z.object({ t: z.literal('result'), id: z.number().int(), value: z.unknown() }),
  z.object({ t: z.literal('next'), id: z.number().int(), value: z.unknown() }),
  z.object({ t: z.literal('end'), id: z.number().int() }),
  z.object({ t: z.literal('error'), id: z.number().int(), error: ErrorShapeSchema }),
]);
export type ServerFrame = z.infer<typeof ServerFrameSchema>;
