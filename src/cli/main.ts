/**
 * The command line as a program: `npx os-credits`, `npm run cli --`, or `node src/cli/main.ts` where there is no npm.
 *
 * Exit codes: 0 done; 1 the worker says no, or whoever was asked; 64 typed wrongly; 69 the worker cannot be reached; 77 the
 * key is refused.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { runCli } from './run.ts'
import type { Terminal } from './terminal.ts'

const { stdin, stdout, stderr } = process
const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string
}

const terminal: Terminal = {
  out: (text) => void stdout.write(text),
  err: (text) => void stderr.write(text),
  get width() {
    return stdout.isTTY ? stdout.columns : Number.POSITIVE_INFINITY
  },
  isTerminal: stdout.isTTY === true,
  hasColours: stdout.isTTY === true && stderr.isTTY === true && stdout.hasColors(16, process.env),
  canAsk: stdin.isTTY === true && stderr.isTTY === true,
  ask,
}

// A pager that was closed wants no more.
stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
  process.exit(0)
})

process.exitCode = await runCli(process.argv.slice(2), {
  env: process.env,
  readFile: (path) => readFileSync(path, 'utf8'),
  terminal,
  version,
  runProgram,
})

async function ask(question: string): Promise<string | undefined> {
  const lines = createInterface({ input: stdin, output: stderr })
  lines.setPrompt(question)
  lines.prompt()
  const answer = await Promise.race([once(lines, 'line'), once(lines, 'close')])
  lines.close()
  return answer[0] as string | undefined
}

/** Its output is ours, and how it ends: Ctrl-C reaches both, and it may have something to finish. */
async function runProgram(path: string, words: readonly string[]): Promise<number> {
  const child = spawn(process.execPath, [...process.execArgv, path, ...words], { stdio: 'inherit' })
  process.on('SIGINT', () => undefined)
  process.on('SIGTERM', () => child.kill('SIGTERM'))
  const [code] = (await once(child, 'close')) as [number | null]
  return code ?? 1
}
