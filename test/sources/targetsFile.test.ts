import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, suite, test, vi } from 'vitest'
import { createTargetsFileWatch, type TargetsFileOptions } from '#src/sources/targetsFile.ts'
import { testClock } from '../helpers/billing.ts'
import { memoryLog } from '../helpers/log.ts'
import { until } from '../helpers/worker.ts'

/** A content that begins with `!` has a problem. */
const parse: TargetsFileOptions<string>['parse'] = (content) => {
  try {
    const text = content()
    return { targets: text, problems: text.startsWith('!') ? [`expected no !, got ${text}`] : [] }
  } catch (error) {
    return { targets: '', problems: [(error as NodeJS.ErrnoException).code ?? 'unknown'] }
  }
}

suite('the file of targets', () => {
  let folder: string
  let path: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'targets-'))
    path = join(folder, 'targets.yaml')
    writeFileSync(path, 'first')
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  function watch(changes: Partial<TargetsFileOptions<string>> = {}) {
    const applied: string[] = []
    const { logger, lines } = memoryLog('config')
    const watched = createTargetsFileWatch<string>({
      path,
      readFile: (name) => readFile(name, 'utf8'),
      parse,
      apply(targets) {
        const before = applied.at(-1) ?? 'first'
        applied.push(targets)
        return { added: before === targets ? [] : [targets], removed: [], relabelled: [] }
      },
      clock: testClock(),
      logger,
      poll: 5,
      ...changes,
    })
    watched.start()
    return { watched, applied, lines, [Symbol.dispose]: () => watched.stop() }
  }

  test.each([
    ['is written', () => writeFileSync(path, 'second')],
    [
      'is replaced, as editors do',
      () => {
        writeFileSync(join(folder, 'new'), 'second')
        renameSync(join(folder, 'new'), path)
      },
    ],
  ])('is taken over when it %s', async (_, change) => {
    using watching = watch()
    await until('it was read', () => watching.applied.length === 1)
    change()
    await until('the change was seen', () => watching.applied.includes('second'))
    expect(watching.lines).toMatchObject([
      { level: 'info', msg: 'The file of targets was read again', added: ['second'] },
    ])
    expect(watching.watched.status()).toMatchObject({ path, problems: [] })
  })

  // Mounts of Kubernetes: file → ..data/file, ..data → a folder of the version.
  test('is taken over when a link on the way to it leads elsewhere', async () => {
    unlinkSync(path)
    for (const version of ['first', 'second']) {
      mkdirSync(join(folder, `..${version}`))
      writeFileSync(join(folder, `..${version}`, 'targets.yaml'), version)
    }
    symlinkSync('..first', join(folder, '..data'))
    symlinkSync('..data/targets.yaml', path)
    using watching = watch()
    await until('it was read', () => watching.applied.length === 1)
    symlinkSync('..second', join(folder, '..new'))
    renameSync(join(folder, '..new'), join(folder, '..data'))
    await until('the change was seen', () => watching.applied.includes('second'))
  })

  test.each([
    ['has a problem', () => writeFileSync(path, '!bad'), 'expected no !, got !bad'],
    ['is gone', () => unlinkSync(path), 'ENOENT'],
  ])('changes nothing when it %s, which is said once, as is that it can be used again', async (_, harm, problem) => {
    using watching = watch()
    await until('it was read', () => watching.applied.length === 1)
    harm()
    await until('it was seen', () => watching.watched.status().problems.length > 0)
    expect(watching.watched.status().problems).toEqual([problem])
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(watching.applied).toEqual(['first'])
    expect(watching.lines).toMatchObject([{ level: 'error', problems: [problem] }])
    writeFileSync(path, 'first')
    await until('it is well again', () => watching.watched.status().problems.length === 0)
    expect(watching.lines.slice(1)).toMatchObject([{ level: 'warn', msg: 'The file of targets can be used again' }])
  })

  test('is not taken by halves while it is written', async () => {
    const contents = ['first', 'first', 'sec', 'secon', 'first', 'second', 'second', 'second']
    using watching = watch({ readFile: async () => contents.shift() ?? 'second' })
    await until('all was read', () => contents.length === 0)
    expect(watching.applied).toEqual(['first', 'second'])
  })

  test('that cannot be applied is a problem like others', async () => {
    using watching = watch({
      apply() {
        throw new RangeError('Expected each target once')
      },
    })
    await until('it was seen', () => watching.watched.status().problems.length > 0)
    expect(watching.watched.status().problems).toEqual(['Expected each target once'])
  })

  test('exchanges nothing after it was stopped, even if it was just read', async () => {
    const { promise, resolve } = Promise.withResolvers<string>()
    const slow = vi.fn(() => promise)
    using watching = watch({ readFile: slow })
    await until('it is being read', () => slow.mock.calls.length === 1)
    watching.watched.stop()
    resolve('second')
    await new Promise((done) => setTimeout(done, 30))
    expect([watching.applied, slow.mock.calls.length]).toEqual([[], 1])
  })
})
