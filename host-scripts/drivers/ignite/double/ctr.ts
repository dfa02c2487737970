/** A stand-in for containerd's `ctr -n firecracker task ls`: the tasks of the ignite double that really live. */
import { readTasks } from './state.ts';

const args = process.argv.slice(2).join(' ');
if (args !== '-n firecracker task ls') {
  process.stderr.write(`No help topic for '${args}'\n`);
  process.exit(3);
}
const row = (task: string, pid: string, status: string): string => `${task.padEnd(41)}${pid.padEnd(9)}${status}\n`;
process.stdout.write(row('TASK', 'PID', 'STATUS') + readTasks().map(({ id, pid }) => row(id, String(pid), 'RUNNING')).join(''));
