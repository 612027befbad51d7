/**
 * The image as a folder: what the Dockerfile copies, and the packages that `npm ci --omit=dev --omit=optional` leaves. All
 * programs of the image start in it, so nothing is missing there that is at hand here.
 */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, suite, test } from 'vitest'
import { runWorker } from '../process/processes.ts'
import { copied, readImage } from './images.ts'
import { packageJson, read, root } from './repository.ts'

interface Locked {
  readonly dev?: boolean
  readonly optional?: boolean
  readonly devOptional?: boolean
  readonly dependencies?: Readonly<Record<string, string>>
}

const image = readImage('Dockerfile')
const folder = mkdtempSync(join(tmpdir(), 'image-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const app = join(folder, 'app')
mkdirSync(app)
for (const path of copied(image)) cpSync(join(root, path), join(app, path), { recursive: true })
for (const path of packagesOfProduction()) {
  cpSync(join(root, path), join(app, path), {
    recursive: true,
    filter: (each) => !each.slice(root.length + path.length + 2).startsWith('node_modules'),
  })
}

/** Folders of packages in the lock file that are neither for development nor optional. */
function packagesOfProduction(): string[] {
  return lockedForProduction().map(([path]) => path)
}

function lockedForProduction(): [string, Locked][] {
  const { packages } = JSON.parse(read('package-lock.json')) as { packages: Record<string, Locked> }
  return Object.entries(packages).filter(
    ([path, { dev, optional, devOptional }]) => path !== '' && !(dev || optional || devOptional),
  )
}

/** Runs a program of the image; nothing of this environment is in its. */
function run(...words: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, words, { cwd: app, env: {}, encoding: 'utf8' })
  return { status, output: stdout + stderr }
}

suite('The image', () => {
  test('has the packages that the program names, and none for development', () => {
    const packages = packagesOfProduction().map((path) => path.replace('node_modules/', ''))
    expect(packages).toEqual(expect.arrayContaining(Object.keys(packageJson.dependencies)))
    const others = [...Object.keys(packageJson.devDependencies), ...Object.keys(packageJson.optionalDependencies)]
    // Types come with packages that name them as their own dependencies.
    const named = new Set(lockedForProduction().flatMap(([, { dependencies = {} }]) => Object.keys(dependencies)))
    expect(packages.filter((name) => others.includes(name) && !named.has(name))).toEqual([])
    expect(image.instructions.map(({ text }) => text).join('\n')).toContain('npm ci --omit=dev --omit=optional')
  })

  test('starts the worker with its own command and settings', async () => {
    const own = { CREDITS_HOST: '127.0.0.1', CREDITS_PORT: '0', OS_CREDITS_LEDGER: `sqlite:${folder}/credits.db` }
    const env = { ...image.environment, ...own, USAGE_EXPORTER_URLS: 'http://127.0.0.1:9/metrics' }
    const [node, ...command] = image.command
    expect(node).toBe('node')
    const worker = runWorker(env, undefined, [...command.slice(0, -1), join(app, command.at(-1)!)])
    const url = await worker.url()
    expect((await fetch(`${url}/livez`)).status).toBe(200)
    expect((await fetch(`${url}/groups/nobody`)).status).toBe(404)
    worker.signal('SIGTERM')
    expect(await worker.exit()).toBe(0)
  })

  test('has the command line as a word of its own', () => {
    const [, target, word] = /ln -s (\S+) (\S+)/.exec(image.instructions.map(({ text }) => text).join('\n'))!
    expect(word).toBe('/usr/local/bin/os-credits')
    const link = join(folder, 'os-credits')
    symlinkSync(join(folder, target!), link)
    expect(run(link, '--version')).toEqual({ status: 0, output: `${packageJson.version}\n` })
    expect(run(link, 'verify', '--help').status).toBe(0)
    // Executable, and found to be a program of Node, as nobody types `node` in a container.
    expect(statSync(link).mode & 0o111).toBe(0o111)
    expect(readFileSync(link, 'utf8')).toMatch(/^#!\/usr\/bin\/env node\n/)
  })

  test('has the simulators of the profiles for trying it', () => {
    expect(run('src/demo/main.ts', 'nonsense')).toMatchObject({
      status: 64,
      output: expect.stringContaining('"nonsense"'),
    })
    expect(run('src/verify/main.ts', '--help').status).toBe(0)
  })
})
