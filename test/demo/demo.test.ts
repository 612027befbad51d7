import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, onTestFinished, suite, test } from 'vitest'
import { until } from '../helpers/worker.ts'

const main = join(import.meta.dirname, '../../src/demo/main.ts')

const newFolder = () => mkdtempSync(join(tmpdir(), 'demo-'))

/** Runs the demo program. */
function runDemo(...parameters: string[]) {
  return runDemoIn(newFolder(), ...parameters)
}

function runDemoIn(cwd: string, ...parameters: string[]) {
  const child: ChildProcess = spawn(process.execPath, [main, ...parameters], { cwd })
  const folder = join(cwd, 'data/demo', String(child.pid))
  let output = ''
  for (const stream of [child.stdout!, child.stderr!])
    stream.setEncoding('utf8').on('data', (piece: string) => {
      output += piece
    })
  const ended = once(child, 'close').then(([code, signal]) => (code ?? signal) as number | string)
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await ended
    killWorker(folder)
    rmSync(cwd, { recursive: true, force: true })
  })
  return {
    /** Where its ledger is. */
    folder,
    output: () => output,
    signal: (name: NodeJS.Signals) => child.kill(name),
    ended,
    /** The first match of what it wrote, as soon as it wrote it. */
    async wrote(pattern: RegExp): Promise<string> {
      await until(`it wrote ${pattern}`, () => pattern.test(output) || child.exitCode !== null)
      const match = pattern.exec(output)
      if (match === null) throw new Error(`It ended without writing ${pattern}:\n${output}`)
      return match[1] ?? match[0]
    },
  }
}

/** The worker is who holds the ledger. */
function workerOf(folder: string): number | undefined {
  try {
    using lock = new DatabaseSync(join(folder, 'credits.db.lock'), { readOnly: true })
    return Number(lock.prepare('SELECT pid FROM owner').get()!.pid)
  } catch {
    return undefined
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

/** For a demo that failed to do so. */
function killWorker(folder: string): void {
  const pid = workerOf(folder)
  if (pid !== undefined && isAlive(pid)) process.kill(pid, 'SIGKILL')
}

suite('one part of the demo', () => {
  test('the exporter answers a scrape, and ends when asked', async () => {
    const demo = runDemo('exporter', '--port', '0')
    const url = await demo.wrote(/Listening on (http:\S+)/)
    const text = await (await fetch(url)).text()
    expect(text).toMatch(/^project_vcpu_usage\{.*project_name="Großes Mikroskop"\} /m)
    demo.signal('SIGTERM')
    expect(await demo.ended).toBe(0)
  })

  test('Perun answers calls and shows its groups, and ends when asked', async () => {
    const demo = runDemo('perun', '--host', '127.0.0.1', '--port', '0')
    const url = await demo.wrote(/Listening on (http:\S+)/)
    const authorization = `Basic ${Buffer.from('credits:secret').toString('base64')}`
    const headers = { authorization, 'content-type': 'application/json' }
    const answer = await fetch(`${url}/groupsManager/getGroupByName`, {
      method: 'POST',
      headers,
      body: JSON.stringify({ vo: 412, name: 'BioVis' }),
    })
    expect(await answer.json()).toMatchObject({ name: 'BioVis' })
    expect(await (await fetch(new URL('/', url))).text()).toContain('GenomeAssembly')
    demo.signal('SIGINT')
    expect(await demo.ended).toBe(0)
  })

  test('that does not exist is an error', async () => {
    const demo = runDemo('prometheus')
    expect(await demo.ended).toBe(64)
    expect(demo.output()).toBe('Expected nothing, "exporter" or "perun", got "prometheus"\n')
  })
})

interface Group {
  readonly name: string
  readonly used: string | null
}

suite('the whole demo', () => {
  test('shows credits in Perun within seconds, tells of it, and takes everything along when it ends', async () => {
    const demo = runDemo()
    const perun = await demo.wrote(/Perun shows +(http:\S+)\//)
    const worker = await demo.wrote(/the worker says +(http:\S+)\/stats/)
    const groups = async () => (await (await fetch(`${perun}/-/groups`)).json()) as Group[]
    await until('Perun shows credits of all groups', async () => (await groups()).every(({ used }) => Number(used) > 0))
    expect((await groups()).length).toBeGreaterThan(5)
    await demo.wrote(/^ {2}BioVis .* credits {3}Perun shows \S+ of 20000$/m)
    await demo.wrote(/^ {2}UnknownToPerun .* on hold \(unknown group\): recorded, not charged$/m)
    expect((await fetch(`${worker}/readyz`)).status).toBe(200)
    const pid = workerOf(demo.folder)!
    expect(isAlive(pid)).toBe(true)
    demo.signal('SIGINT')
    expect(await demo.ended).toBe(0)
    expect(isAlive(pid)).toBe(false)
    expect(demo.output()).toContain('All stopped.')
    await expect(fetch(perun)).rejects.toThrow('fetch failed')
  })

  // The worker is in a session of its own, so a terminal that closes does not reach it by itself.
  test('leaves no worker behind when its terminal closes', async () => {
    const demo = runDemo()
    await demo.wrote(/Ctrl-C stops all of it/)
    await until('the worker has its ledger', () => workerOf(demo.folder) !== undefined)
    const pid = workerOf(demo.folder)!
    demo.signal('SIGHUP')
    await demo.ended
    await until('the worker is gone', () => !isAlive(pid))
  })

  test('leaves the ledger of another one alone, and takes away those of earlier ones', async () => {
    const cwd = newFolder()
    const [earlier, notOurs] = [join(cwd, 'data/demo/4194305'), join(cwd, 'data/demo/worker.log')]
    for (const folder of [earlier, notOurs]) mkdirSync(folder, { recursive: true })
    const first = runDemoIn(cwd)
    await until('the first worker has its ledger', () => workerOf(first.folder) !== undefined)
    expect([earlier, notOurs].filter((folder) => existsSync(folder))).toEqual([])
    const second = runDemoIn(cwd)
    await until('the second worker has its ledger', () => workerOf(second.folder) !== undefined)
    expect(workerOf(first.folder)).not.toBe(workerOf(second.folder))
    expect(isAlive(workerOf(first.folder)!)).toBe(true)
  })

  // Each sees the usual port free before the worker of any of them listens there.
  test('several that start at the same moment have a port each', async () => {
    const demos = [runDemo(), runDemo(), runDemo()]
    const urls = await Promise.all(demos.map((demo) => demo.wrote(/the worker says +(http:\S+)\/stats/)))
    expect(new Set(urls).size).toBe(3)
    for (const url of urls) expect((await fetch(`${url}/livez`)).status).toBe(200)
  })

  test('leaves no worker behind, also when it is killed', async () => {
    const demo = runDemo()
    await until('the worker has its ledger', () => workerOf(demo.folder) !== undefined)
    const worker = workerOf(demo.folder)!
    demo.signal('SIGKILL')
    await demo.ended
    await until('the worker is gone', () => !isAlive(worker))
  })

  test('ends when its worker does, and says why', async () => {
    const demo = runDemo()
    await demo.wrote(/Ctrl-C stops all of it/)
    await until('the worker has its ledger', () => workerOf(demo.folder) !== undefined)
    await until('the worker listens', async () => {
      const url = await demo.wrote(/the worker says +(http:\S+)\/stats/)
      return fetch(`${url}/livez`).then(
        ({ ok }) => ok,
        () => false,
      )
    })
    process.kill(workerOf(demo.folder)!, 'SIGKILL')
    expect(await demo.ended).toBe(1)
    expect(demo.output()).toMatch(
      /The worker ended by itself; the end of data\/demo\/\d+\/worker\.log says why:\n.*Listening on/s,
    )
  })
})
