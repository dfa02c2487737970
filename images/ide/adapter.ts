/** A VS Code server that the golden image can carry. */
export type IdeAdapter = {
  readonly name: 'code-server' | 'openvscode-server';
  readonly version: string;
  /** Everything that decides the content of the installed tree, besides the distribution and Node: part of the layer's key. */
  readonly inputs: Readonly<Record<string, unknown>>;
  /** Shell text run as root inside a build root; leaves the tree at {@link IdeBuild.target}. */
  readonly buildScript: (build: IdeBuild) => string;
  /** Files that must be fetched before: URL and SHA-256. Empty when the build fetches from the npm registry. */
  readonly downloads: readonly { readonly name: string; readonly url: string; readonly sha256: string }[];
  /** Path of the product description below the tree; its `commit` names the static path. */
  readonly productPath: string;
  /** Program text that starts the server, installed beside the agent (LAUNCHER_PATH); null when the server's own is used. */
  readonly launcher: string | null;
  /** Program and arguments inside the guest: a loopback port, no password (the guest agent guards the door), no telemetry, no update check. */
  readonly argv: (start: IdeStart) => readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly healthPath: string;
  readonly warmPaths: readonly string[];
  /** Folder of a node-pty built for the guest's Node, below the tree. */
  readonly nodePtyPath: string;
  /** Which folders of the tree browsers read, and under which URL. */
  readonly staticPrefixes: (commit: string) => readonly StaticPrefix[];
  /** Below the tree's static folder of the first prefix: browsers ask for these, the distribution lacks them; the gateway says so at once. */
  readonly staticAbsent: readonly string[];
  /** URL path of VS Code's `vscode-remote-resource?path=`, by which browsers read files of built-in extensions; null when there is none. */
  readonly remoteResourcePath: (commit: string) => string | null;
  /** Content of the user's machine-wide settings. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** Where the settings file lies, below the user's HOME. */
  readonly settingsPath: string;
};

/** Where a build finds its inputs and leaves its tree, as seen inside the build root. */
export type IdeBuild = { readonly inputs: string; readonly target: string };

export type IdeStart = { readonly node: string; readonly launcher: string; readonly root: string; readonly port: number; readonly home: string; readonly workspace: string };

/**
 * One URL prefix and the folder of the tree behind it. `include` are files, or folders ending in `/`, below it; a path that contains
 * one of `except` is left out.
 * The gateway serves what the manifest lists and asks the guest for the rest.
 */
export type StaticPrefix = { readonly urlPrefix: string; readonly dir: string; readonly include: readonly string[]; readonly except: readonly string[] };

/** Settings that make VS Code calm and fast in a disposable guest. Shared by both servers. */
export const COMMON_SETTINGS: Readonly<Record<string, unknown>> = {
  'telemetry.telemetryLevel': 'off',
  'update.mode': 'none',
  'extensions.autoUpdate': false,
  'extensions.autoCheckUpdates': false,
  'workbench.startupEditor': 'none',
  // Light or dark with the desktop and with Vessel.
  'window.autoDetectColorScheme': true,
  'workbench.enableExperiments': false,
  'security.workspace.trust.enabled': false,
  'files.autoSave': 'afterDelay',
  'files.autoSaveDelay': 300,
  'git.openRepositoryInParentFolders': 'never',
  'chat.disableAIFeatures': true,
  // Switched off above, its services still look through the home folder for their files: forty calls in a workbench's first seconds.
  'chat.mcp.access': 'none',
  'chat.mcp.discovery.enabled': false,
  'chat.plugins.enabled': false,
  'chat.useAgentSkills': false,
  'chat.useClaudeMdFile': false,
  'chat.useAgentsMdFile': false,
  // Each TypeScript server is a process that loads 9 MB of program; type definitions from the network come when somebody wants them.
  'typescript.tsserver.useSyntaxServer': 'never',
  'typescript.disableAutomaticTypeAcquisition': true,
  'extensions.ignoreRecommendations': true,
  // Nothing lives there without the assistants.
  'workbench.secondarySideBar.defaultVisibility': 'hidden',
  // Vessel shows the guest's ports itself, and its gateway serves them at addresses of their own.
  'remote.autoForwardPorts': false,
  'terminal.integrated.initialHint': false,
};
