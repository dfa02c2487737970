import type { TemplateId } from '#shared/project.ts';
import type { Archiver } from '../../ports/archiver.ts';
import { checkArchive } from './check-archive.ts';
import { importFolder } from './import-folder.ts';
import { inflateArchive } from './inflate-archive.ts';
import { countZip, importZip } from './import-zip.ts';
import { templateZip, type TemplateFile } from './template-zip.ts';
import { transcode } from './transcode.ts';

/** The desktop's archive work; `files` gives the content of a template. */
export function makeArchiver(files: (id: TemplateId, projectName: string) => readonly TemplateFile[]): Archiver {
  return { transcode, importZip, importFolder, inflate: inflateArchive, template: (id, projectName) => Promise.resolve(templateZip(files(id, projectName))), count: countZip, check: checkArchive };
}
