/** The command line as it is typed: a program of its own, words and an environment in, texts and an exit code out. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'

export const program = fileURLToPath(new URL('../../bin/os-credits.js', import.meta.url))

export interface Outcome {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs it without a terminal, with this environment and no other. */
export async function typed(words: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Outcome> {
  const child = spawn(process.execPath, [program, ...words], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
  return { code: code as number, stdout, stderr }
}

/** Starts it without a terminal and leaves it running until it is disposed of. */
export function watch(words: readonly string[]) {
  const child = spawn(process.execPath, [program, ...words], { env: {}, stdio: ['ignore', 'pipe', 'pipe'] })
  const closed = once(child, 'close')
  const written = { stdout: '', stderr: '' }
  child.stdout.on('data', (chunk) => {
    written.stdout += chunk
  })
  child.stderr.on('data', (chunk) => {
    written.stderr += chunk
  })
  return {
    stdout: () => written.stdout,
    stderr: () => written.stderr,
    async [Symbol.asyncDispose]() {
      child.kill('SIGINT')
      await closed
    },
  }
}

/** Why there can be no terminal here; `undefined` if there can. */
export function whyNoTerminal(): string | undefined {
  const { error, status } = spawnSync('script', ['-qec', 'exit 3', '/dev/null'], { stdio: 'ignore' })
  return error === undefined && status === 3 ? undefined : '"script" of util-linux is missing: no terminal to type at'
}

const quote = (word: string) => `'${word.replaceAll("'", "'\\''")}'`

/** Runs it at a terminal that is so wide, and types `answer`; what it writes comes as one text. */
export async function typedAtTerminal(
  words: readonly string[],
  { columns, answer = '', env = {} }: { columns: number; answer?: string; env?: Readonly<Record<string, string>> },
): Promise<{ code: number; screen: string }> {
  const command = `stty cols ${columns}; exec ${[process.execPath, program, ...words].map(quote).join(' ')}`
  const child = spawn('script', ['-qec', command, '/dev/null'], {
    env: { PATH: process.env.PATH ?? '', TERM: 'xterm-256color', SHELL: '/bin/sh', ...env },
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const closed = once(child, 'close')
  let screen = ''
  for await (const chunk of child.stdout) {
    // What is typed before the question would be thrown away.
    if (!screen.includes('[y/N]') && String(screen + chunk).includes('[y/N]')) child.stdin.end(`${answer}\n`)
    screen += chunk
  }
  const [code] = (await closed) as [number]
  return { code, screen: screen.replaceAll('\r\n', '\n') }
}
