/** What pushes of any size and shape take of memory, 64 at a time, measured in a process of its own. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, suite, test } from 'vitest'

interface Came {
  readonly outcomes: Readonly<Record<string, number>>
  /** The most memory that the process had, in MiB. */
  readonly peak: number
}

async function pushed(kind: string): Promise<Came> {
  const { stdout } = await promisify(execFile)(process.execPath, [
    '--max-semi-space-size=6',
    '--heap-growing-percent=30',
    join(import.meta.dirname, 'pushPeak.ts'),
    kind,
  ])
  return JSON.parse(stdout) as Came
}

suite('memory stays bounded', () => {
  test.each([
    ['samples of one series', ['taken', 'busy']],
    ['empty labels', ['too large', 'busy']],
    ['empty texts', ['too large', 'busy']],
    ['line feeds', ['taken', 'busy']],
    ['a bomb of gzip', ['too large', 'busy']],
  ])('for pushes of %s', { timeout: 120_000 }, async (kind, expected) => {
    const { outcomes, peak } = await pushed(kind)
    expect(Object.keys(outcomes).filter((outcome) => !expected.includes(outcome))).toEqual([])
    expect(peak).toBeLessThan(500)
  })
})
