/** Workers as processes of their own, and what processes take of the machine. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { createInterface } from 'node:readline'

export type WorkerProcess = Awaited<ReturnType<typeof spawnWorker>>

/** Starts one with these settings and no others; resolves when it listens. */
export async function spawnWorker(env: Readonly<Record<string, string>>) {
  const flags = ['--max-semi-space-size=6', '--heap-growing-percent=30']
  const child = spawn(process.execPath, [...flags, 'src/main.ts'], { env, stdio: ['ignore', 'pipe', 'inherit'] })
  const said: string[] = []
  const listening = Promise.withResolvers<void>()
  createInterface({ input: child.stdout }).on('line', (line) => {
    if (said.length < 100) said.push(line)
    if (line.includes('Listening on')) listening.resolve()
  })
  const ended = once(child, 'exit')
  void ended.then(() => listening.reject(new Error(`The worker ended:\n${said.join('\n')}`)))
  await listening.promise
  return {
    pid: child.pid!,
    async stop() {
      child.kill('SIGTERM')
      await ended
    },
  }
}

/** `USER_HZ` of all Linux systems that Node runs on. */
const TICKS = 100

/** The CPU time of a process and of those that it started, those that ended too, in seconds; `NaN` where there is no /proc. */
export function cpuSeconds(pid: number): number {
  const all = everyProcess()
  const own = all.get(pid)
  if (own === undefined) return Number.NaN
  const children = [...all].filter(([, { parent }]) => parent === pid)
  return own.seconds + children.reduce((sum, [child]) => sum + cpuSeconds(child), 0)
}

function everyProcess() {
  const found = new Map<number, { readonly parent: number; readonly seconds: number }>()
  for (const name of numbersIn('/proc')) {
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8')
      // The name in parentheses may hold anything.
      const fields = stat
        .slice(stat.lastIndexOf(')') + 2)
        .split(' ')
        .map(Number)
      const [user, system, usersEnded, systemsEnded] = fields.slice(11, 15) as [number, number, number, number]
      found.set(name, { parent: fields[1]!, seconds: (user + system + usersEnded + systemsEnded) / TICKS })
    } catch {
      // It has ended meanwhile.
    }
  }
  return found
}

function numbersIn(folder: string): number[] {
  try {
    return readdirSync(folder).map(Number).filter(Number.isInteger)
  } catch {
    return []
  }
}

/** What all cores have done since the start of the machine, by anybody, in seconds. */
export function machine(): { readonly busy: number; readonly all: number } {
  const times = cpus().map(({ times: { user, nice, sys, irq, idle } }) => ({ busy: user + nice + sys + irq, idle }))
  const busy = times.reduce((sum, each) => sum + each.busy, 0) / 1_000
  const idle = times.reduce((sum, each) => sum + each.idle, 0) / 1_000
  return { busy, all: busy + idle }
}
