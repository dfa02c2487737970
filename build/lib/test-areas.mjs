// The real tests by area: in which lane each file runs, and how long an area may take. Data only; `npm test` prints the sums and holds them against the budgets.

/**
 * Two lanes run side by side, one file at a time in each. `machine`: microVMs, which keep both processors busy and count what else runs on the host.
 * `beside`: programs without a hypervisor (a database, sshd, a browser, guests as plain processes), which mostly wait.
 * A file belongs to the first area with a path that it begins with. `budgetS`: seconds on two cores without hardware virtualisation; over it is printed, never failed.
 */
export const AREAS = [
  {
    name: 'clouds', lane: 'beside', budgetS: 180,
    paths: ['electron/core/adapters/cloud/', 'electron/core/adapters/cold-', 'electron/core/adapters/sealed/', 'build/e2e/cloud.'],
  },
  {
    name: 'ssh', lane: 'beside', budgetS: 120,
    paths: ['electron/core/adapters/ssh/', 'build/e2e/ssh-host.', 'build/e2e/remote-distance.', 'build/e2e/remote-idle.', 'build/e2e/remote-life.', 'renderer/away.'],
  },
  {
    name: 'core and doors without a hypervisor', lane: 'beside', budgetS: 300,
    paths: [
      'build/e2e/faults-life.', 'build/e2e/faults-storage.', 'build/e2e/kill-sweep-process.', 'build/electron-stub/', 'build/package/', 'build/testing/hostile-agent.',
      'electron/cli/cli.', 'electron/core/create-core.', 'electron/main/', 'electron/server/', 'electron/core/adapters/gateway/',
    ],
  },
  {
    name: 'drivers without their hypervisors', lane: 'beside', budgetS: 60,
    paths: ['host-scripts/drivers/process/', 'host-scripts/drivers/firecracker/', 'host-scripts/drivers/ignite/', 'images/guest-agent/', 'images/ide/'],
  },
  { name: 'image and templates', lane: 'machine', budgetS: 240, paths: ['images/', 'host-scripts/templates/', 'host-scripts/provision/'] },
  { name: 'machines', lane: 'machine', budgetS: 300, paths: ['host-scripts/'] },
  { name: 'hosts over SSH with machines', lane: 'machine', budgetS: 300, paths: ['build/e2e/remote-', 'build/e2e/line-sweep.', 'renderer/hosts.'] },
  { name: 'window and editor', lane: 'machine', budgetS: 240, paths: ['renderer/', 'build/e2e/editor-ahead.', 'electron/core/adapters/ide-mirror/'] },
  { name: 'journeys and sweeps', lane: 'machine', budgetS: 420, paths: [''] },
];

export const LANES = ['machine', 'beside'];

/** The area of a file, given by its path from the root of the clone. The last area takes all. */
export const areaOf = (file) => AREAS.find(({ paths }) => paths.some((path) => file.startsWith(path)));
