/** Said once, because every command that takes a project reads it the same way. */
export const PROJECT_HELP = 'id, unique beginning of the id, or name';
export const DETACH = ['-d, --detach', 'print the operation id and return at once'] as const;
