/** The README, kept short and true: what it is, how to see it work, how to run it, and where everything else is. */
import { dirname } from 'node:path'
import { parseEnv } from 'node:util'
import { expect, suite, test } from 'vitest'
import { commands } from '#src/cli/commands/all.ts'
import { loadSettings } from '#src/config/settings.ts'
import { SITE } from '#src/demo/world.ts'
import { expectTheDemo } from './demo.ts'
import { blocks, documents, fenced, links, plain, read, section, tableRows } from './repository.ts'

const readme = read('README.md')

suite('The README', () => {
  test('is short', () => {
    expect(readme.split('\n').length).toBeLessThan(200)
  })

  test('says in its table what each document is for', () => {
    const told = links(section(readme, 'Where to read on'))
    const pages = documents.filter((path) => path !== 'README.md')
    const all = new Set(pages.map((path) => (dirname(path) === 'docs/decisions' ? 'docs/decisions' : path)))
    expect(new Set(told.filter((link) => link !== 'LICENSE'))).toEqual(all)
  })

  test('has people try it, run it and test it by one command each', () => {
    expect(fenced(readme, 'sh')).toEqual(expect.arrayContaining(['make run', 'make start', 'make test']))
  })

  test('names what is asked most as the command line does', () => {
    const asked = tableRows(section(readme, 'What one asks most')).map(([command]) => plain(command!))
    const known = commands.map(({ name, operands }) => ['npx os-credits', name, ...operands].join(' '))
    expect(asked.length).toBeGreaterThan(3)
    expect(asked.filter((command) => !known.includes(command))).toEqual([])
  })
})

suite('An .env of the README', () => {
  const typed = section(readme, 'Run it')
  const [smallest, ofTheDemo] = blocks(typed, 'sh')
    .filter((block) => /^[A-Z_]+=/.test(block))
    .map((block) => parseEnv(block) as Record<string, string>)
  const started = (env: Record<string, string>) => loadSettings({ API_KEY: 'nobody-guesses-it', ...env }, read)

  test('is enough for the worker to start', () => {
    const { settings, warnings } = started(smallest!)
    expect(warnings).toEqual(['OS_CREDITS_PERUN_URL is not set: nothing is published'])
    expect([settings.targets.length, settings.perun]).toEqual([1, undefined])
  })

  test('fits the parts of the demo, at the ports where they are started', async () => {
    const { settings, warnings } = started(ofTheDemo!)
    expect(warnings).toEqual([])
    await expectTheDemo(settings)
    expect(ofTheDemo!.OS_CREDITS_LOCATION_ID).toBe(String(SITE))
    const ports = fenced(typed, 'sh').flatMap(
      (line) => /^node src\/demo\/main.ts \w+ --port (\d+)$/.exec(line)?.[1] ?? [],
    )
    expect([settings.targets[0]!.url, settings.perun!.url].map((url) => new URL(url).port)).toEqual(ports)
  })
})
