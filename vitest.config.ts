import { defineConfig } from 'vitest/config'

// Tests run through Node's own loader, so that syntax which Node refuses (enums, imports without .ts) fails here too and
// not only in production.
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    experimental: { viteModuleRunner: false },
    // One core is left idle otherwise, and much of the time is spent waiting for processes.
    maxWorkers: '100%',
    // Nothing should take so long; a busy machine may.
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
})
