import type { Project } from '#shared/project.ts';

/** A project as the store knows it; the running operation is added by the operations service. */
export type ProjectRecord = Omit<Project, 'activeOperationId' | 'sync'>;
