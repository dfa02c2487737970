import { z } from 'zod';

/** How a project decides what a save leaves out. `lean` also drops build output, .git and .env files. */
export const ExcludeConfigSchema = z.object({
  preset: z.enum(['safe', 'lean', 'everything']).default('safe'),
  /** gitignore-style patterns of this project, applied after the preset; `!` re-includes. */
  rules: z.array(z.string()).default([]),
});
export type ExcludeConfig = z.infer<typeof ExcludeConfigSchema>;

/** What an import does with a zip whose whole content lies in one folder: `strip` makes that folder's content the workspace. */
export const TopFolderSchema = z.enum(['strip', 'keep']);
export type TopFolder = z.infer<typeof TopFolderSchema>;

/** One thing that a save did not carry, and why. */
export const LeftOutSchema = z.object({
  path: z.string(),
  reason: z.string(),
});
export type LeftOut = z.infer<typeof LeftOutSchema>;
