import { z } from 'zod';

/**
 * `$VESSEL_HOME/run/server.json` (mode 0600): written whole by the server once it answers, removed when it ends. Whoever can
 * read it is the user that runs Vessel, so it carries the bearer secret. A file whose `pid` is gone is stale.
 */
export const ServerFileSchema = z.object({
  pid: z.number().int().positive(),
  /** Loopback port of the HTTP server and of the WebSocket `/api/socket`. */
  port: z.number().int().min(1).max(65535),
  /** Where the last Vessel of this home answered, when that port was taken at the start of this one: open tabs look there. */
  movedFrom: z.number().int().min(1).max(65535).nullable().default(null),
  /** Sent as `Authorization: Bearer <secret>`. */
  secret: z.string().min(16),
  /** What a browser of this computer opens, without a ticket. */
  baseUrl: z.string(),
  version: z.string(),
  startedAt: z.number(),
});
export type ServerFile = z.infer<typeof ServerFileSchema>;
