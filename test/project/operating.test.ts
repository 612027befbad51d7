/** docs/OPERATING.md and docs/TROUBLESHOOTING.md, kept true: holds, messages, metrics and exit codes are those of the code. */
import { expect, suite, test } from 'vitest'
import { createMetrics } from '#src/telemetry/metrics.ts'
import { inlineCode, manuals, plain, read, section, sources, tableRows } from './repository.ts'
import { holdKinds } from './words.ts'

const operating = read('docs/OPERATING.md')
const troubles = read('docs/TROUBLESHOOTING.md')

test('The holds of docs/OPERATING.md are of every kind, those of growth first', () => {
  expect(tableRows(section(operating, 'Holds')).map(([kind]) => plain(kind!))).toEqual(holdKinds)
})

test('The exit codes of docs/OPERATING.md are those of the program', () => {
  const documented = tableRows(section(operating, 'Stopping and exit codes')).map(([code]) => Number(code))
  const declared = [...read('src/main.ts').matchAll(/^const EXIT_\w+ = (\d+)$/gm)].map((match) => Number(match[1]))
  expect(documented).toEqual([0, ...declared])
})

suite('docs/TROUBLESHOOTING.md', () => {
  test('quotes messages that the program says', () => {
    const ofNode = ['ERR_UNKNOWN_FILE_EXTENSION', 'bad option']
    const ofWatchers = ['/readyz']
    const shown = tableRows(troubles).flatMap(([seen]) => inlineCode(seen!))
    const messages = shown.filter((text) => !text.startsWith('"') && ![...ofNode, ...ofWatchers].includes(text))
    const fragments = messages.flatMap((text) => text.split('…')).map((text) => text.trim())
    const said = sources.map(({ text }) => text).join('\n')
    expect(fragments.filter((fragment) => !said.includes(fragment))).toEqual([])
    expect(fragments.length).toBeGreaterThan(20)
  })

  test('leads to each of its sections', () => {
    const sections = [...troubles.matchAll(/^## (.*)$/gm)].map((match) => match[1]!)
    const [first] = troubles.split(/^## /m)
    expect(sections.length).toBeGreaterThan(4)
    expect(sections.filter((heading) => !first!.includes(`[${heading}](#`))).toEqual([])
  })
})

test('The manuals name metrics that exist', async () => {
  const metrics = createMetrics({ version: 'test' })
  metrics.showGroups(async () => ({ groups: [], leftOut: 0 }), { withForecasts: true })
  const existing = (await metrics.registry.getMetricsAsJSON()).map(({ name }) => name)
  const named = manuals.flatMap((path) =>
    inlineCode(read(path)).flatMap((code) => /^os_credits_\w+/.exec(code)?.[0] ?? []),
  )
  expect(new Set(named).size).toBeGreaterThan(10)
  expect(named.filter((name) => !existing.includes(name))).toEqual([])
})
