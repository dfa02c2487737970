import type { ExcludeConfig } from '../archive-rules.ts';

export type EntryKind = 'file' | 'dir' | 'link' | 'other';

/** What a rule of a preset may look at. */
export type PresetQuestion = {
  readonly name: string;
  readonly kind: EntryKind;
  /** Last part of the path of the folder that holds the entry; '' for the root. */
  readonly folderName: string;
  /** True when the same folder holds a file or folder of this name. */
  readonly beside: (name: string) => boolean;
  /** True when the entry is a folder that holds this name. Asks the file system, so only when all else fits. */
  readonly within: (name: string) => boolean;
};

type FolderRule = { readonly reason: string; readonly when?: (question: PresetQuestion) => boolean };

const besideAny = (...names: readonly string[]) => (question: PresetQuestion): boolean => names.some((name) => question.beside(name));
const GRADLE = ['build.gradle', 'build.gradle.kts', 'settings.gradle', 'settings.gradle.kts'] as const;

/** Folders that a tool makes again from what lies beside them. Never a folder merely for being called build or dist. */
const SAFE_FOLDERS: ReadonlyMap<string, FolderRule> = new Map<string, FolderRule>([
  ['node_modules', { reason: 'installed again from package.json', when: besideAny('package.json') }],
  ['bower_components', { reason: 'installed again from bower.json', when: besideAny('bower.json') }],
  ['.venv', { reason: 'Python virtual environment', when: ({ within }) => within('pyvenv.cfg') }],
  ['venv', { reason: 'Python virtual environment', when: ({ within }) => within('pyvenv.cfg') }],
  ['__pycache__', { reason: 'Python byte code' }],
  ['.pytest_cache', { reason: 'tool cache' }],
  ['.mypy_cache', { reason: 'tool cache' }],
  ['.ruff_cache', { reason: 'tool cache' }],
  ['.tox', { reason: 'tool cache' }],
  ['.nox', { reason: 'tool cache' }],
  ['.turbo', { reason: 'tool cache' }],
  ['.parcel-cache', { reason: 'tool cache' }],
  ['.gradle', { reason: 'tool cache', when: besideAny(...GRADLE) }],
  ['.dart_tool', { reason: 'tool cache', when: besideAny('pubspec.yaml') }],
  ['.cache', { reason: 'tool cache', when: besideAny('gatsby-config.js', 'gatsby-config.ts', 'gatsby-config.mjs') }],
  ['cache', { reason: 'tool cache', when: ({ folderName }) => folderName === '.next' || folderName === '.angular' }],
  ['target', { reason: 'built again from Cargo.toml', when: besideAny('Cargo.toml') }],
  // The lock file says exactly what to fetch; without it the same code may not come back.
  ['vendor', { reason: 'installed again from composer.json', when: ({ beside }) => beside('composer.json') && beside('composer.lock') }],
  ['Pods', { reason: 'installed again from Podfile', when: besideAny('Podfile') }],
]);

const SAFE_FILES: ReadonlyMap<string, FolderRule> = new Map<string, FolderRule>([
  ['.eslintcache', { reason: 'tool cache', when: besideAny('package.json') }],
]);

const besideManifest = besideAny('package.json', 'pyproject.toml', 'setup.py', 'Cargo.toml', 'go.mod', 'pom.xml', 'composer.json', 'CMakeLists.txt', 'Makefile', ...GRADLE);
const BUILD_OUTPUT: FolderRule = { reason: 'build output (lean)', when: besideManifest };

/** What `lean` drops besides. */
const LEAN_FOLDERS: ReadonlyMap<string, FolderRule> = new Map<string, FolderRule>([
  ...['dist', 'build', 'out', '.next', '.nuxt', '.output', '.svelte-kit', 'coverage', '.nyc_output'].map((name) => [name, BUILD_OUTPUT] as const),
  ['target', { reason: 'build output (lean)', when: besideAny('pom.xml') }],
  ['.git', { reason: 'Git history (lean)' }],
]);

const ENV_FILE = /^\.env(?:\..+)?$/;
/** Committed on purpose, without secrets. */
const ENV_EXAMPLE = /\.(?:example|sample|template|dist|defaults)$/;

function fromTable(table: ReadonlyMap<string, FolderRule>, question: PresetQuestion): string | null {
  const rule = table.get(question.name);
  return rule !== undefined && (rule.when === undefined || rule.when(question)) ? rule.reason : null;
}

/** Why a preset leaves an entry out, or null to keep it. Links are always kept: they cost nothing and may point anywhere. */
export function presetReason(preset: ExcludeConfig['preset'], question: PresetQuestion): string | null {
  if (preset === 'everything' || question.kind === 'link' || question.kind === 'other') return null;
  const safe = fromTable(question.kind === 'dir' ? SAFE_FOLDERS : SAFE_FILES, question);
  if (safe !== null || preset === 'safe') return safe;
  if (question.kind === 'dir') return fromTable(LEAN_FOLDERS, question);
  // In a worktree or submodule .git is a file.
  if (question.name === '.git') return 'Git history (lean)';
  return ENV_FILE.test(question.name) && !ENV_EXAMPLE.test(question.name) ? 'environment file (lean)' : null;
}
