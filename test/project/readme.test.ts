/** The README, kept true: what it says of settings, endpoints, commands and messages is what the code has. */
import { expect, suite, test } from 'vitest'
import { entries, replaced } from '#src/config/declarations.ts'
import type { Who } from '#src/http/auth.ts'
import type { Door } from '#src/http/door.ts'
import { readLogChange } from '#src/http/logChange.ts'
import type { HttpParts } from '#src/http/parts.ts'
import { allRoutes } from '#src/http/routes/all.ts'
import { createMetrics } from '#src/telemetry/metrics.ts'
import { compose, services } from './compose.ts'
import { fenced, inlineCode, packageJson, plain, read, section, sources, tableRows } from './repository.ts'
import { holdKinds } from './words.ts'

const readme = read('README.md')

suite('The settings of the README', () => {
  const rows = tableRows(section(readme, 'Settings'))
  const named = (cells: string[][]) => cells.map(([name]) => plain(name!))

  test('are all settings, each once, with what holds by default', () => {
    const documented = rows.map(([name, fallback]) => [plain(name!), plain(fallback!)])
    const declared = entries.map(([name, { fallback = '—' }]) => [name, fallback])
    expect(documented.toSorted()).toEqual(declared.toSorted())
  })

  test('are called secret if they are', () => {
    const secret = rows.filter(([, , meaning]) => meaning!.endsWith('Secret.'))
    expect(named(secret).toSorted()).toEqual(
      entries
        .filter(([, { secret: isSecret }]) => isSecret)
        .map(([name]) => name)
        .toSorted(),
    )
  })

  test('say for each setting of OS Credits that means nothing here what does instead', () => {
    const moved = tableRows(section(readme, 'Moving from OS Credits'))
    for (const { name, by } of replaced) {
      const row = moved.find(([old]) => old!.split(', ').some((each) => name.test(plain(each))))
      expect(row?.[1], String(name)).toContain('no effect')
      for (const setting of by.split(/ or | and /)) expect(row?.[1]).toContain(setting)
    }
  })
})

// Nothing is asked of the parts before a request comes.
const routes = allRoutes({ metrics: createMetrics({ version: 'test' }) } as unknown as HttpParts, {} as Door)
const endpoint = ({ method, path }: { method: string; path: string }) => `${method.toUpperCase()} ${path}`

suite('The endpoints of the README', () => {
  test('are all routes, with who may ask', () => {
    const documented = tableRows(section(readme, 'Endpoints')).map(([request, who]) => [plain(request!), who])
    const declared = routes.map((route): [string, Who] => [endpoint(route), route.who])
    expect(documented.toSorted()).toEqual(declared.toSorted())
  })

  test('are what its examples ask for', () => {
    const examples = fenced(readme, 'sh').filter((line) => line.startsWith('curl '))
    expect(examples.length).toBeGreaterThan(3)
    const patterns = routes.map((route) => new RegExp(`^${endpoint(route).replace(/:\w+/g, '[^/]+')}$`))
    for (const line of examples) {
      const { pathname } = new URL(/http:[^\s"]+/.exec(line)![0])
      const asked = `${line.includes(' -d ') ? 'POST' : 'GET'} ${pathname}`
      expect(
        patterns.some((pattern) => pattern.test(asked)),
        line,
      ).toBe(true)
    }
  })

  // A shell may take `?` for a pattern of file names.
  test('quote addresses with a query', () => {
    const examples = fenced(readme, 'sh').filter((line) => line.startsWith('curl ') && line.includes('?'))
    expect(examples.length).toBeGreaterThan(1)
    expect(examples.filter((line) => !/"http:[^"]+"/.test(line))).toEqual([])
  })

  test('understand the example of a change of log levels', () => {
    const [example] = fenced(readme, 'sh').filter((line) => line.endsWith('/logconfig'))
    const { levels, forMs } = readLogChange(JSON.parse(/-d '(.*?)'/.exec(example!)![1]!))
    expect([[...levels], forMs]).toEqual([[['perun', 'debug']], 600_000])
  })

  test('that OS Credits had are there or said to be gone', () => {
    const moved = tableRows(section(readme, 'Moving from OS Credits')).filter(([old]) => /^`(GET|POST) /.test(old!))
    const known = new Set(routes.map(endpoint))
    for (const [old, here] of moved) {
      for (const each of old!.split(', ').map(plain)) {
        expect(/^(gone|not there)/.test(here!), each).toBe(!known.has(each))
      }
    }
    expect(moved.length).toBeGreaterThan(5)
  })
})

suite('The troubleshooting of the README', () => {
  const troubles = section(readme, 'Troubleshooting')

  test('has every kind of hold, those of growth first', () => {
    expect(tableRows(section(readme, 'A group is on hold')).map(([kind]) => plain(kind!))).toEqual(holdKinds)
  })

  test('quotes messages that the program says', () => {
    const ofNode = ['ERR_UNKNOWN_FILE_EXTENSION', 'bad option']
    const shown = tableRows(troubles).flatMap(([seen]) => inlineCode(seen!))
    const messages = shown.filter((text) => !text.startsWith('"') && !ofNode.includes(text))
    const fragments = messages.flatMap((text) => text.split('…')).map((text) => text.trim())
    const said = sources.map(({ text }) => text).join('\n')
    expect(fragments.filter((fragment) => !said.includes(fragment))).toEqual([])
    expect(fragments.length).toBeGreaterThan(20)
  })

  test('names metrics that exist', async () => {
    const names = new Set(inlineCode(troubles).filter((text) => text.startsWith('os_credits_')))
    const existing = (await createMetrics({ version: 'test' }).registry.getMetricsAsJSON()).map(({ name }) => name)
    expect(names.size).toBeGreaterThan(3)
    expect([...names].filter((name) => !existing.includes(name))).toEqual([])
  })
})

test('The exit codes of the README are those of the program', () => {
  const documented = tableRows(section(readme, 'Exit codes')).map(([code]) => Number(code))
  const declared = [...read('src/main.ts').matchAll(/^const EXIT_\w+ = (\d+)$/gm)].map((match) => Number(match[1]))
  expect(documented).toEqual([0, ...declared])
})

suite('The commands of the README', () => {
  const lines = [...fenced(readme, 'sh'), ...inlineCode(readme)]

  test('that make does are targets', () => {
    const named = lines.flatMap((line) => /^make ([a-z-]+)/.exec(line)?.[1] ?? [])
    const targets = [...read('Makefile').matchAll(/^([a-z-]+):/gm)].map((match) => match[1])
    expect(named).toEqual(expect.arrayContaining(['run', 'test']))
    expect(named.filter((name) => !targets.includes(name))).toEqual([])
  })

  test('that npm does are scripts', () => {
    const named = lines.flatMap((line) => /^npm (?:run )?((?<=run )[a-z:]+|test|start)/.exec(line)?.[1] ?? [])
    expect(named).toEqual(expect.arrayContaining(['test', 'format']))
    expect(named.filter((name) => packageJson.scripts[name] === undefined)).toEqual([])
  })

  test('that Docker Compose does name profiles and services that exist', () => {
    const profiles = new Set(services.flatMap(([, service]) => service.profiles))
    const table = tableRows(section(readme, 'Deploying with Docker Compose'))
    expect(new Set(table.map(([profile]) => plain(profile!)))).toEqual(profiles)
    const commands = lines.flatMap((line) => /^docker compose --profile (\w+) (.*)$/.exec(line)?.slice(1, 3) ?? [])
    expect(commands.length).toBeGreaterThan(3)
    expect(commands.filter((_, index) => index % 2 === 0).every((profile) => profiles.has(profile))).toBe(true)
    expect(compose.volumes).toHaveProperty('ledger')
    expect(read('Makefile')).toContain(` -v ${compose.name}_ledger:/data `)
  })
})
