#!/usr/bin/env node
// Node 26 runs the TypeScript as it is; an older one gets a sentence instead of a stack.
import process from 'node:process'

if (Number.parseInt(process.versions.node, 10) < 26) {
  process.stderr.write(`os-credits needs Node 26, this is ${process.version}: "make install" brings it for npx.\n`)
  process.exitCode = 69
} else {
  await import('../src/cli/main.ts')
}
