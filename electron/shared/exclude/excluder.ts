import type { ExcludeConfig } from '../archive-rules.ts';
import { parseIgnoreLines, type IgnorePattern } from './ignore-pattern.ts';
import { presetReason, type EntryKind } from './presets.ts';

/** The name of the ignore file, in gitignore syntax, at the root or in any folder. It is saved itself. */
export const IGNORE_FILE = '.vesselignore';

type IgnoreLevel = {
  /** Where the ignore file lies, with a trailing slash; '' for the root. */
  readonly base: string;
  readonly label: string;
  readonly patterns: readonly IgnorePattern[];
};

/** One folder as a walker sees it. */
export type FolderView = {
  /** Relative to the workspace, `a/b`; '' for the root. */
  readonly path: string;
  readonly names: ReadonlySet<string>;
  /** Content of the folder's own {@link IGNORE_FILE}; null when it has none. */
  readonly ignoreFile: string | null;
};

export type EntryView = {
  readonly name: string;
  readonly kind: EntryKind;
  /** The names inside, when the entry is a folder. Only called when a rule needs it. */
  readonly childNames: () => readonly string[];
};

export type Decision = { readonly keep: true } | { readonly keep: false; readonly reason: string };

const KEEP: Decision = { keep: true };

/**
 * Decides for the entries of one folder what a save leaves out. Touches no file system: the walker feeds it and does not descend
 * into a folder that is left out (so, as in git, nothing inside can be taken back).
 * Order: preset, then `.vesselignore` from the root downwards, then the project's rules; the last match wins.
 */
export class FolderExcluder {
  readonly #config: ExcludeConfig;
  readonly #levels: readonly IgnoreLevel[];
  readonly #project: readonly IgnorePattern[];
  readonly #folder: FolderView;
  readonly #prefix: string;
  readonly #folderName: string;

  private constructor(config: ExcludeConfig, project: readonly IgnorePattern[], parents: readonly IgnoreLevel[], folder: FolderView) {
    this.#config = config;
    this.#project = project;
    this.#folder = folder;
    this.#prefix = folder.path === '' ? '' : `${folder.path}/`;
    this.#folderName = folder.path.slice(folder.path.lastIndexOf('/') + 1);
    this.#levels = folder.ignoreFile === null ? parents
      : [...parents, { base: this.#prefix, label: `${this.#prefix}${IGNORE_FILE}`, patterns: parseIgnoreLines(folder.ignoreFile.split('\n')) }];
  }

  /** For the root of the workspace. */
  static root(config: ExcludeConfig, folder: FolderView): FolderExcluder {
    return new FolderExcluder(config, parseIgnoreLines(config.rules), [], folder);
  }

  /** For a folder inside this one. */
  child(folder: FolderView): FolderExcluder {
    return new FolderExcluder(this.#config, this.#project, this.#levels, folder);
  }

  decide(entry: EntryView): Decision {
    const { name, kind } = entry;
    let reason = presetReason(this.#config.preset, {
      name, kind, folderName: this.#folderName,
      beside: (other) => this.#folder.names.has(other),
      within: (other) => entry.childNames().includes(other),
    });
    if (this.#levels.length > 0 || this.#project.length > 0) {
      const path = this.#prefix + name;
      const apply = (patterns: readonly IgnorePattern[], relative: string, label: string): void => {
        for (let index = patterns.length - 1; index >= 0; index -= 1) {
          const pattern = patterns[index];
          if (pattern === undefined || (pattern.folderOnly && kind !== 'dir') || !pattern.matches(relative, name)) continue;
          reason = pattern.negated ? null : `${label}: ${pattern.text}`;
          return;
        }
      };
      for (const level of this.#levels) apply(level.patterns, path.slice(level.base.length), level.label);
      apply(this.#project, path, 'project rule');
    }
    return reason === null ? KEEP : { keep: false, reason };
  }
}
