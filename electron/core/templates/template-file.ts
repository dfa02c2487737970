/** One text file of a template; `executable` sets the mode bits. */
export type TemplateFile = { readonly path: string; readonly content: string; readonly executable?: boolean };
export type Template = (projectName: string) => readonly TemplateFile[];

/** A tasks.json whose task runs when the folder opens is avoided on purpose: nothing starts that nobody asked for. */
export function tasksJson(tasks: readonly { readonly label: string; readonly command: string; readonly group?: 'build' | 'test'; readonly background?: boolean }[]): TemplateFile {
  const content = {
    version: '2.0.0',
    tasks: tasks.map(({ label, command, group, background }) => ({
      label, type: 'shell', command, problemMatcher: [],
      ...(group === undefined ? {} : { group: { kind: group, isDefault: true } }),
      ...(background === true ? { isBackground: true } : {}),
    })),
  };
  return { path: '.vscode/tasks.json', content: `${JSON.stringify(content, null, 2)}\n` };
}

/** A package name that npm accepts, from a display name. */
export function packageName(projectName: string): string {
  const name = projectName.normalize('NFKD').toLowerCase().replace(/[^a-z0-9]+/g, '-').replace(/^-+|(?<!-)-+$/g, '');
  return name === '' ? 'project' : name.slice(0, 60);
}

/** The display name as it may stand in HTML. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
