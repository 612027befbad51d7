/** One ledger, two workers: whichever way the second one comes to the file, it is refused. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { linkSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { basename, join, relative } from 'node:path'
import { expect, suite, test } from 'vitest'
import { bound, tellSkipped } from './disks.ts'
import { runWorker, temporaryFolder, type WorkerProcess, workerSettings } from './processes.ts'

const nowhere = 'http://127.0.0.1:1/metrics'

const settingsFor = (path: string) => ({ ...workerSettings('', nowhere), OS_CREDITS_LEDGER: `sqlite:${path}` })

async function expectRefusal(worker: WorkerProcess, words: RegExp): Promise<void> {
  expect(await worker.exit()).toBe(74)
  expect(worker.log().at(-1)).toMatchObject({ level: 'fatal', msg: expect.stringMatching(words) })
  expect(worker.output()).not.toContain('    at ')
}

async function startedOn(path: string): Promise<WorkerProcess> {
  const worker = runWorker(settingsFor(path))
  await worker.url()
  return worker
}

suite('a second worker is refused', () => {
  test.each([
    ['a relative path', (path: string) => relative(process.cwd(), path)],
    [
      'a symbolic link to the file',
      (path: string, folder: string) => {
        symlinkSync(path, join(folder, 'link.db'))
        return join(folder, 'link.db')
      },
    ],
    [
      'a symbolic link to its folder',
      (path: string, folder: string) => {
        symlinkSync(join(folder, 'data'), join(folder, 'link'))
        return join(folder, 'link', basename(path))
      },
    ],
    ['a path with detours', (path: string, folder: string) => `${folder}/data/../data//./${basename(path)}`],
  ])('that comes by %s', async (_, detour) => {
    const folder = temporaryFolder()
    const path = join(folder, 'data', 'credits.db')
    const first = await startedOn(path)
    await expectRefusal(runWorker(settingsFor(detour(path, folder))), new RegExp(`\\(process ${first.pid}, since `))
    expect(first.hasEnded()).toBe(false)
  })

  test('when the first came by a link to a ledger that was not there yet', async () => {
    const folder = temporaryFolder()
    mkdirSync(join(folder, 'data'))
    const path = join(folder, 'data', 'credits.db')
    symlinkSync(path, join(folder, 'link.db'))
    const first = await startedOn(join(folder, 'link.db'))
    await expectRefusal(runWorker(settingsFor(path)), new RegExp(`\\(process ${first.pid}, since `))
  })

  test('that comes by another name of the same file; so is the first, from then on', async () => {
    const folder = temporaryFolder()
    const [path, other] = [join(folder, 'credits.db'), join(folder, 'other.db')]
    const first = await startedOn(path)
    linkSync(path, other)
    await expectRefusal(runWorker(settingsFor(other)), /other\.db has 2 names \(hard links\)/)
    first.signal('SIGKILL')
    await first.ended()
    await expectRefusal(runWorker(settingsFor(path)), /credits\.db has 2 names \(hard links\)/)
    rmSync(other)
    await startedOn(path)
  })

  test('while the first one sleeps, and not after it was killed', async () => {
    const path = join(temporaryFolder(), 'credits.db')
    const first = await startedOn(path)
    first.signal('SIGSTOP')
    await expectRefusal(runWorker(settingsFor(path)), new RegExp(`\\(process ${first.pid}, since `))
    first.signal('SIGKILL')
    await first.ended()
    await startedOn(path)
  })

  test('of any number that start at once: exactly one works', async () => {
    const path = join(temporaryFolder(), 'credits.db')
    const workers = Array.from({ length: 4 }, () => runWorker(settingsFor(path)))
    const works = async (worker: WorkerProcess) =>
      worker.url().then(
        () => true,
        () => false,
      )
    const outcomes = await Promise.all(workers.map(works))
    expect(outcomes.filter(Boolean)).toHaveLength(1)
    for (const worker of workers.filter((_, index) => !outcomes[index])) expect(await worker.exit()).toBe(74)
  })
})

suite('a volume', () => {
  test('that two containers share has one writer, although each has its own paths and process numbers', async ({
    skip,
  }) => {
    const folder = temporaryFolder()
    const volume = bound(folder)
    if (volume === undefined) return skip(tellSkipped('a volume that two containers share'))
    const first = await startedOn(join(folder, 'credits.db'))
    // Namespaces of its own, as a container has them.
    const main = join(import.meta.dirname, '../../src/main.ts')
    const child = spawn('unshare', ['--mount', '--pid', '--fork', '--mount-proc', '--uts', process.execPath, main], {
      env: settingsFor(join(volume, 'credits.db')),
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let output = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
    const [code] = await once(child, 'close')
    expect(code).toBe(74)
    expect(output).toContain(`(process ${first.pid}, since `)
  })

  test('that is the file alone is refused: its log would be lost with the container', async ({ skip }) => {
    const elsewhere = temporaryFolder()
    const disk = join('/dev/shm', basename(elsewhere))
    mkdirSync(disk)
    writeFileSync(join(disk, 'credits.db'), '')
    try {
      const file = bound(join(disk, 'credits.db'), true)
      if (file === undefined) return skip(tellSkipped('a volume that is the file alone'))
      await expectRefusal(runWorker(settingsFor(file)), /is mounted without its folder.*mount the folder instead/)
    } finally {
      rmSync(disk, { recursive: true })
    }
  })
})

test('a ledger below /proc ends the start with 74 instead of hanging', async () => {
  await expectRefusal(
    runWorker(settingsFor('/proc/nowhere/credits.db')),
    /\/proc\/nowhere\/credits\.db cannot be opened/,
  )
})
