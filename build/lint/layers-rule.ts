import { isBuiltin } from 'node:module';
import { posix, relative, sep } from 'node:path';
import type { Rule } from 'eslint';
import { TEST_PACKAGES, isRealTest, isTest, layerOf } from './layers.ts';

const packageName = (specifier: string): string => specifier.split('/').slice(0, specifier.startsWith('@') ? 2 : 1).join('/');

/**
 * Why a file may not import something, or null when it may.
 *
 * `file` is relative to the root with `/`; `specifier` is as written in the source.
 */
export function forbidden(file: string, specifier: string): string | null {
  const layer = layerOf(file);
  if (layer === null) return null;
  const test = isTest(file);

  const target = specifier.startsWith('#shared/') ? `electron/shared/${specifier.slice('#shared/'.length)}`
    : specifier.startsWith('.') ? posix.normalize(posix.join(posix.dirname(file), specifier))
    : null;
  if (target !== null) {
    if (target.startsWith('../')) return 'a file outside the repository';
    const other = layerOf(target);
    // A test may prove the layer together with what the build made of it, and use shared test helpers.
    if (other === null) return test ? null : `${target} (no layer)`;
    if (layer.may.includes(other.name)) return null;
    // A real test wires the layer to the real things behind its ports.
    if (isRealTest(file) && other.name !== 'renderer') return null;
    return `layer ${other.name} (may: ${layer.may.join(', ')})`;
  }
  if (specifier.startsWith('node:') || isBuiltin(specifier)) {
    if (!specifier.startsWith('node:')) return `${specifier} without its node: prefix`;
    return layer.node || test ? null : 'Node built-in modules';
  }
  const name = packageName(specifier);
  if (test && TEST_PACKAGES.includes(name)) return null;
  if (layer.npm.includes(name)) return null;
  if (name !== 'electron' && layer.npm.includes('*')) return null;
  return `package ${name}`;
}

/** ESLint rule `vessel/layers`. Option `root`: the absolute path that file names are relative to. */
export const layersRule: Rule.RuleModule = {
  meta: {
    type: 'problem',
    schema: [{ type: 'object', properties: { root: { type: 'string' } }, required: ['root'], additionalProperties: false }],
    messages: { forbidden: '{{layer}} must not import {{what}}.' },
  },
  create(context) {
    const [{ root }] = context.options as [{ readonly root: string }];
    const file = relative(root, context.filename).split(sep).join('/');
    const layer = layerOf(file);
    if (layer === null) return {};
    const check = (source: unknown, node: Rule.Node): void => {
      const specifier = (source as { readonly value?: unknown } | null | undefined)?.value;
      if (typeof specifier !== 'string') return;
      const what = forbidden(file, specifier);
      if (what !== null) context.report({ node, messageId: 'forbidden', data: { layer: layer.name, what } });
    };
    return {
      ImportDeclaration: (node) => check(node.source, node),
      ExportNamedDeclaration: (node) => check(node.source, node),
      ExportAllDeclaration: (node) => check(node.source, node),
      ImportExpression: (node) => check(node.source, node),
      // `type X = import('…')`: the parser of TypeScript adds this node.
      TSImportType: (node: Rule.Node) => check((node as unknown as { readonly source?: unknown }).source, node),
    };
  },
};
