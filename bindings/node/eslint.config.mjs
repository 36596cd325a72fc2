// Correctness, not taste: what is wrong in any program, and what this code forbids itself.
// Run from the root, so that the examples are read, too: see tools/lint.sh.
import js from '@eslint/js'
import globals from 'globals'

export default [
  { ignores: ['**/node_modules/', '**/npm/'] },
  js.configs.recommended,
  {
    languageOptions: { ecmaVersion: 2023, globals: globals.node },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      eqeqeq: 'error',
      'no-constructor-return': 'error',
      'no-eval': 'error',
      'no-implicit-globals': 'error',
      'no-promise-executor-return': 'off',
      'no-shadow': 'error',
      'no-unmodified-loop-condition': 'error',
      'no-unused-vars': ['error', { args: 'after-used', caughtErrors: 'all', ignoreRestSiblings: true }],
      'no-use-before-define': ['error', { functions: false, classes: false, variables: false }],
      'no-var': 'error',
      'no-empty': ['error', { allowEmptyCatch: false }],
      'prefer-const': 'error',
      'require-atomic-updates': 'off',
    },
  },
  // They run with --expose-gc.
  { files: ['**/test/**', '**/bench/**'], languageOptions: { globals: { gc: 'readonly' } } },
  { files: ['**/*.js'], languageOptions: { sourceType: 'commonjs' } },
  { files: ['**/*.mjs'], languageOptions: { sourceType: 'module' } },
]
