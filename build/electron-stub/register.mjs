// `node --import build/electron-stub/register.mjs <main>`: every import of `electron` gets the stub beside this file.
import { registerHooks } from 'node:module';

const stub = new URL('./electron.mjs', import.meta.url).href;
registerHooks({
  resolve: (specifier, context, next) => specifier === 'electron' ? { url: stub, shortCircuit: true } : next(specifier, context),
});
