import { languages } from 'monaco-editor/editor';

/** Names that Monaco's own table misses or that have no extension. */
const BY_NAME: Readonly<Record<string, string>> = {
  'dockerfile': 'dockerfile', 'containerfile': 'dockerfile', 'makefile': 'shell', '.bashrc': 'shell', '.profile': 'shell', '.zshrc': 'shell', '.gitignore': 'ini', '.gitattributes': 'ini', '.editorconfig': 'ini', '.env': 'ini', '.npmrc': 'ini', '.prettierrc': 'json', '.vesselignore': 'ini',
};
/** JSON has no plain grammar in Monaco, only a language service; JavaScript's colours it well. */
const BY_EXTENSION: Readonly<Record<string, string>> = {
  json: 'javascript', jsonc: 'javascript', json5: 'javascript', mjs: 'javascript', cjs: 'javascript', jsx: 'javascript', mts: 'typescript', cts: 'typescript', tsx: 'typescript', toml: 'ini', conf: 'ini', lock: 'plaintext', svg: 'xml', vue: 'html', svelte: 'html', astro: 'html', zsh: 'shell', fish: 'shell', service: 'ini', tf: 'hcl',
};

/** The id of the language that a file's name suggests; `plaintext` when none does. */
export function languageOf(path: string): string {
  const name = path.slice(path.lastIndexOf('/') + 1).toLowerCase();
  const named = BY_NAME[name];
  if (named !== undefined) return named;
  const extension = name.slice(name.lastIndexOf('.') + 1);
  return BY_EXTENSION[extension] ?? languages.getLanguages().find((language) => language.extensions?.includes(`.${extension}`) === true)?.id ?? 'plaintext';
}
