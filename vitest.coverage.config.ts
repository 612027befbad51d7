import { defineConfig } from 'vitest/config'

// Coverage counts wrongly with Node's own loader (see vitest.config.ts), so it is measured with vitest's.
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // What they try runs in processes of its own, of which coverage sees nothing.
    exclude: ['test/simulation/**', 'test/process/**', 'test/tools/**', 'test/browser/**', 'test/demo/**'],
    maxWorkers: '100%',
    testTimeout: 120_000,
    hookTimeout: 120_000,
    coverage: { provider: 'v8', include: ['src/**/*.ts'], reporter: ['text-summary', 'json-summary', 'html'] },
  },
})
