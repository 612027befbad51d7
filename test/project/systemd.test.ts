/** The unit for systemd: systemd understands it, and it starts what the image starts. */
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, suite, test } from 'vitest'
import { loadSettings } from '#src/config/settings.ts'
import { STOP_GRACE } from '#src/service.ts'
import { temporaryFolder } from '../process/processes.ts'
import { readImage } from './images.ts'
import { read } from './repository.ts'

const unit = read('deploy/credits-worker.service')
const all = (name: string) => [...unit.matchAll(new RegExp(`^${name}=(.*)$`, 'gm'))].map((match) => match[1]!)
const one = (name: string) => all(name)[0]!

suite('deploy/credits-worker.service', () => {
  test('runs the same command as the image', () => {
    const [program, ...words] = one('ExecStart').split(' ')
    expect([program!.slice(program!.lastIndexOf('/') + 1), ...words]).toEqual(readImage('Dockerfile').command)
  })

  test('gives settings that the worker understands', () => {
    const pairs = all('Environment').flatMap((line) => line.split(' '))
    const { NODE_ENV: _, ...own } = Object.fromEntries(pairs.map((pair) => pair.split('=', 2))) as Record<
      string,
      string
    >
    const needed = {
      USAGE_EXPORTER_URLS: 'http://exporter/metrics',
      OS_CREDITS_PERUN_URL: 'https://perun/ba/rpc/json',
      OS_CREDITS_PERUN_LOGIN: 'credits',
      OS_CREDITS_PERUN_VO_ID: '1',
    }
    const { settings, warnings } = loadSettings({ ...own, ...needed }, () => 'of-a-file')
    expect(warnings).toEqual([])
    expect(settings.ledger).toEqual({ kind: 'sqlite', path: `/var/lib/${one('StateDirectory')}/credits.db` })
    const credentials = all('LoadCredential').map((line) => `%d/${line.split(':')[0]}`)
    expect(
      Object.entries(own)
        .filter(([name]) => name.endsWith('_FILE'))
        .map(([, path]) => path),
    ).toEqual(credentials)
  })

  test('leaves the worker more time to stop than it takes, and does not retry wrong settings', () => {
    expect(one('TimeoutStopSec')).toMatch(/^\d+s$/)
    expect(Number.parseInt(one('TimeoutStopSec'), 10) * 1_000).toBeGreaterThan(STOP_GRACE)
    expect(read('src/main.ts')).toContain(`const EXIT_SETTINGS = ${one('RestartPreventExitStatus')}\n`)
    expect({ type: one('Type'), restart: one('Restart') }).toEqual({ type: 'exec', restart: 'on-failure' })
  })
})

const isMissing = spawnSync('systemd-analyze', ['--version']).error !== undefined
if (isMissing) {
  process.stderr.write(
    'NOT TESTED: whether systemd understands deploy/credits-worker.service (systemd-analyze is not in the path)\n',
  )
}

suite.skipIf(isMissing)('systemd', () => {
  test('understands the unit', () => {
    const path = join(temporaryFolder(), 'credits-worker.service')
    // It looks for the program.
    writeFileSync(path, unit.replace(one('ExecStart').split(' ')[0]!, process.execPath))
    const { status, stdout, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', path], { encoding: 'utf8' })
    expect({ status, output: stdout + stderr }).toEqual({ status: 0, output: '' })
  })
})
