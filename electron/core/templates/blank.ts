import type { Template } from './template-file.ts';

export const blank: Template = (name) => [{
  path: 'README.md',
  content: `# ${name}

An empty project. This editor and its terminal run in a microVM made for this session alone.

- Node, Python, git, ripgrep and curl are installed.
- A server that you start on any port can be opened from the floating button, *Ports*.
- **Save & Exit** turns this folder into a verified archive and ends the microVM.
`,
}];
