import { Atom, Braces, FileCode2, FileArchive, PanelsTopLeft, SquareTerminal } from 'lucide-react';
import type { ReactNode } from 'react';
import { TIERS, type TemplateId, type Tier } from '#shared/project.ts';

type TemplateView = { readonly value: TemplateId; readonly title: string; readonly text: string; readonly icon: typeof Atom };

/** How each template presents itself. */
export const TEMPLATES: readonly TemplateView[] = [
  { value: 'blank', title: 'Blank', text: 'An empty workspace', icon: SquareTerminal },
  { value: 'node', title: 'Node', text: 'A small HTTP server', icon: Braces },
  { value: 'react-vite', title: 'React', text: 'Vite with hot reload', icon: Atom },
  { value: 'python', title: 'Python', text: 'A script and its tests', icon: FileCode2 },
  { value: 'static', title: 'Static site', text: 'HTML, CSS and a server', icon: PanelsTopLeft },
];

export function TemplateIcon({ template, size = 18 }: { readonly template: TemplateId | null; readonly size?: number }): ReactNode {
  const Icon = TEMPLATES.find((item) => item.value === template)?.icon ?? FileArchive;
  return <Icon aria-hidden="true" size={size} />;
}

export function templateTitle(template: TemplateId | null): string {
  return TEMPLATES.find((item) => item.value === template)?.title ?? 'Imported';
}

/** `2 vCPU · 1 GB`. */
export function tierText(tier: Tier): string {
  const { vcpus, memoryMiB } = TIERS[tier];
  return `${vcpus} vCPU · ${memoryMiB / 1024} GB`;
}

export const TIER_OPTIONS: readonly { readonly value: Tier; readonly title: string; readonly text: string }[] = [
  { value: 'small', title: 'Small', text: tierText('small') },
  { value: 'medium', title: 'Medium', text: tierText('medium') },
  { value: 'large', title: 'Large', text: tierText('large') },
];
