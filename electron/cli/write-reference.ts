import { readFileSync, writeFileSync } from 'node:fs';
import { buildProgram } from './program.ts';
import { REFERENCE_BEGIN, renderReference } from './reference.ts';

/** `node electron/cli/write-reference.ts`: writes the generated part of docs/cli.md anew; the prose above it stays. */
const path = new URL('../../docs/cli.md', import.meta.url);
const program = buildProgram('', () => { throw new Error('the reference runs no command'); }, () => undefined);
const [prose = ''] = readFileSync(path, 'utf8').split(REFERENCE_BEGIN);
writeFileSync(path, `${prose}${REFERENCE_BEGIN}\n\n${renderReference(program)}`);
