import type { ExcludeConfig } from '../archive-rules.ts';
import { parseIgnoreLines, type IgnorePattern } from './ignore-pattern.ts';
import { GIT_ENTRY, type TrackedPaths } from './git-tracked.ts';
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
  /** What the Git repository whose working tree begins here tracks; null when none does. Only called when something would be left out. */
  readonly tracked: (() => TrackedPaths) | null;
};

export type EntryView = {
  readonly name: string;
  readonly kind: EntryKind;
  /** The names inside, when the entry is a folder. Only called when a rule needs it. */
  readonly childNames: () => readonly string[];
};

export type Decision = {
  readonly keep: boolean;
  /** Why the entry is left out, or, of a folder that is kept for what Git tracks in it, the rest of it. Null for what is kept whole, and inside a folder that was reported already. */
  readonly report: string | null;
  /** What a person should know besides. */
  readonly warning: string | null;
};

const KEEP: Decision = { keep: true, report: null, warning: null };

type Repository = { /** Where its working tree begins, with a trailing slash; '' for the root. */ readonly base: string; readonly tracked: () => TrackedPaths };

/**
 * Decides for the entries of one folder what a save leaves out. Touches no file system: the walker feeds it and does not descend
 * into a folder that is left out (so, as in git, nothing inside can be taken back).
 * Order: preset, then `.vesselignore` from the root downwards, then the project's rules; the last match wins. Over all of them: what Git tracks is kept. A folder
 * that holds some of it is entered, and in there everything else is left out.
 */
export class FolderExcluder {
  readonly #config: ExcludeConfig;
  readonly #levels: readonly IgnoreLevel[];
  readonly #project: readonly IgnorePattern[];
  readonly #folder: FolderView;
  readonly #prefix: string;
  readonly #folderName: string;
  /** Those around this folder, outermost first. */
  readonly #repositories: readonly Repository[];
  /** Why this folder as a whole would be left out: only what Git tracks in it is kept. Null otherwise. */
  readonly #leftOut: string | null;

  private constructor(config: ExcludeConfig, project: readonly IgnorePattern[], parents: readonly IgnoreLevel[], repositories: readonly Repository[], leftOut: string | null, folder: FolderView) {
    this.#config = config;
    this.#leftOut = leftOut;
    this.#project = project;
    this.#folder = folder;
    this.#prefix = folder.path === '' ? '' : `${folder.path}/`;
    this.#folderName = folder.path.slice(folder.path.lastIndexOf('/') + 1);
    this.#repositories = folder.tracked === null ? repositories : [...repositories, { base: this.#prefix, tracked: folder.tracked }];
    this.#levels = folder.ignoreFile === null ? parents
      : [...parents, { base: this.#prefix, label: `${this.#prefix}${IGNORE_FILE}`, patterns: parseIgnoreLines(folder.ignoreFile.split('\n')) }];
  }

  /** For the root of the workspace. */
  static root(config: ExcludeConfig, folder: FolderView): FolderExcluder {
    return new FolderExcluder(config, parseIgnoreLines(config.rules), [], [], null, folder);
  }

  /** For a folder inside this one. */
  child(folder: FolderView): FolderExcluder {
    const name = folder.path.slice(folder.path.lastIndexOf('/') + 1);
    const leftOut = this.#reasonFor({ name, kind: 'dir', childNames: () => [...folder.names] });
    return new FolderExcluder(this.#config, this.#project, this.#levels, this.#repositories, leftOut, folder);
  }

  /** True when a repository's working tree begins in this folder. */
  get isRepository(): boolean {
    return this.#folder.tracked !== null;
  }

  decide(entry: EntryView): Decision {
    const { name, kind } = entry;
    const reason = this.#reasonFor(entry);
    if (reason === null) return KEEP;
    // Inside a folder that was reported the rest of it goes without saying.
    const isReported = this.#leftOut !== null && reason === this.#leftOut;
    const keeper = this.#keeperOf(name);
    if (keeper !== null) {
      const { problem } = keeper.tracked();
      const warning = problem === null ? null : `What Git tracks in ${keeper.base === '' ? 'the workspace' : keeper.base} is not known (${problem}): nothing of it is left out`;
      return { keep: true, report: kind === 'dir' && problem === null && !isReported ? `${reason}, except what Git tracks` : null, warning };
    }
    // A working tree of its own, unknown to the repository around it: what that tracks is kept.
    if (kind === 'dir' && name !== GIT_ENTRY && entry.childNames().includes(GIT_ENTRY)) return { keep: true, report: isReported ? null : `${reason}, except what Git tracks`, warning: null };
    return { keep: false, report: isReported ? null : reason, warning: null };
  }

  /** The repository because of which an entry is kept. */
  #keeperOf(name: string): Repository | null {
    const path = this.#prefix + name;
    return this.#repositories.find(({ base, tracked }) => tracked().has(path.slice(base.length))) ?? null;
  }

  /** Why the rules would leave an entry out; null when they would not. */
  #reasonFor(entry: EntryView): string | null {
    const { name, kind } = entry;
    // A repository inside goes on being one.
    if (this.#leftOut !== null && !(name === GIT_ENTRY && this.isRepository)) return this.#leftOut;
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
    return reason;
  }
}
