import { fileURLToPath } from 'node:url';
import reactHooks from 'eslint-plugin-react-hooks';
import tseslint from 'typescript-eslint';
import { layersRule } from './build/lint/layers-rule.ts';
import { linearPatternsRule } from './build/lint/linear-patterns-rule.ts';

const root = fileURLToPath(new URL('.', import.meta.url));
const vessel = { rules: { layers: layersRule, 'linear-patterns': linearPatternsRule } };

/** Rules that need no types, for every source file. */
const everywhere = {
  'max-lines': ['error', { max: 400 }],
  'no-empty': ['error', { allowEmptyCatch: false }],
  'no-var': 'error',
  'prefer-const': 'error',
  eqeqeq: ['error', 'always', { null: 'ignore' }],
  'no-eval': 'error',
  'no-implied-eval': 'error',
  'no-restricted-syntax': ['error',
    { selector: 'ExportDefaultDeclaration', message: 'Export by name.' },
    { selector: 'TSEnumDeclaration, TSModuleDeclaration[kind="namespace"], TSParameterProperty', message: 'Erasable syntax only.' }],
};

export default [
  { ignores: ['node_modules/**', 'out/**', 'dist/**'] },
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  {
    files: ['**/*.{js,mjs}'],
    plugins: { '@typescript-eslint': tseslint.plugin },
    languageOptions: { ecmaVersion: 'latest', sourceType: 'module' },
    rules: { ...everywhere, 'no-unused-vars': 'error', 'no-unreachable': 'error', 'require-await': 'error' },
  },
  {
    files: ['**/*.{ts,tsx}'],
    plugins: { '@typescript-eslint': tseslint.plugin, vessel },
    languageOptions: {
      parser: tseslint.parser,
      parserOptions: { project: ['./tsconfig.json', './renderer/tsconfig.json', './renderer/tsconfig.test.json'], tsconfigRootDir: root },
    },
    rules: {
      ...everywhere,
      'vessel/layers': ['error', { root }],
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: { attributes: false } }],
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-unsafe-assignment': 'error',
      '@typescript-eslint/no-unsafe-member-access': 'error',
      '@typescript-eslint/no-unsafe-call': 'error',
      '@typescript-eslint/no-unsafe-return': 'error',
      '@typescript-eslint/no-unsafe-argument': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/consistent-type-imports': ['error', { disallowTypeAnnotations: false }],
      '@typescript-eslint/await-thenable': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_', caughtErrors: 'all' }],
      '@typescript-eslint/only-throw-error': 'error',
      '@typescript-eslint/return-await': ['error', 'error-handling-correctness-only'],
      '@typescript-eslint/no-non-null-assertion': 'error',
      '@typescript-eslint/prefer-readonly': 'error',
    },
  },
  { files: ['renderer/**/*.{ts,tsx}'], plugins: { 'react-hooks': reactHooks }, rules: { 'react-hooks/rules-of-hooks': 'error', 'react-hooks/exhaustive-deps': 'error' } },
  // What runs on the desktop meets texts of guests, archives, hosts and clouds; a test meets its own.
  { files: ['electron/{core,shared,server,cli}/**/*.ts'], ignores: ['**/*.test.ts', '**/*.test-helper.ts', '**/testing/**'], rules: { 'vessel/linear-patterns': 'error' } },
  // Tests look into answers of every kind; what they find is asserted, not trusted.
  {
    files: ['**/*.test.{ts,tsx}', '**/*.test-helper.ts', 'build/**/*.ts'],
    rules: {
      '@typescript-eslint/no-unsafe-assignment': 'off', '@typescript-eslint/no-unsafe-member-access': 'off', '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off', '@typescript-eslint/no-unsafe-return': 'off', '@typescript-eslint/no-non-null-assertion': 'off',
    },
  },
  // Tools read the default export of their configuration and reporters.
  { files: ['*.config.{js,ts}', 'build/lib/reporter.mjs'], rules: { 'no-restricted-syntax': 'off' } },
];
