import type { TemplateId } from '#shared/project.ts';
import { blank } from './blank.ts';
import { node } from './node.ts';
import { python } from './python.ts';
import { reactVite } from './react-vite.ts';
import { staticSite } from './static.ts';
import type { Template } from './template-file.ts';

/** The content a new project starts with. Strings in the bundle, so that the packed app needs no files beside it. */
export const TEMPLATES: Readonly<Record<TemplateId, Template>> = { blank, node, 'react-vite': reactVite, python, static: staticSite };
