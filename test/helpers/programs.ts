/** Programs of others that some tests run: found in the path, or where a variable of the environment says. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { until } from './worker.ts'

export interface Program {
  readonly path: string
  readonly isMissing: boolean
}

/**
 * @param variable Names it where it is not in the path.
 * @param untested What is not tested without it: said loudly.
 */
export function findProgram(command: string, versionFlag: string, variable: string, untested: string): Program {
  const path = process.env[variable] ?? command
  const isMissing = spawnSync(path, [versionFlag]).error !== undefined
  if (isMissing) {
    process.stderr.write(`NOT TESTED: ${untested} (${command} is not in the path, and ${variable} does not name it)\n`)
  }
  return { path, isMissing }
}

/** Nobody has it just now. */
export async function freePort(): Promise<number> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** Runs it until the test is over, in a folder of its own that is removed then. */
export function runProgram(path: string, files: Record<string, string>, options: (folder: string) => string[]) {
  const folder = mkdtempSync(join(tmpdir(), 'program-'))
  for (const [name, text] of Object.entries(files))
    writeFileSync(join(folder, name), text.replaceAll('{folder}', folder))
  const child = spawn(path, options(folder), { stdio: ['ignore', 'pipe', 'pipe'] })
  const ended = once(child, 'close')
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += String(chunk)))
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await ended
    rmSync(folder, { recursive: true, force: true })
  })
  return {
    output: () => output,
    /** Resolves when this address of it answers. */
    async answers(url: string): Promise<void> {
      await until(`${path} answers`, async () => {
        if (child.exitCode !== null) throw new Error(`${path} ended:\n${output}`)
        return fetch(url).then(
          ({ ok }) => ok,
          () => false,
        )
      })
    },
  }
}
