/** docs/SETTINGS.md, and what other documents say of settings: the tables and names are those of the code. */
import { expect, suite, test } from 'vitest'
import { declarations, entries, replaced } from '#src/config/declarations.ts'
import { composeText } from './compose.ts'
import { fenced, inlineCode, manuals, plain, read, tableRows } from './repository.ts'

const moved = tableRows(read('docs/MOVING.md'))

suite('The settings of docs/SETTINGS.md', () => {
  const rows = tableRows(read('docs/SETTINGS.md'))
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
})

test('docs/MOVING.md says for each setting of OS Credits that means nothing here what does instead', () => {
  for (const { name, by } of replaced) {
    const row = moved.find(([old]) => old!.split(', ').some((each) => name.test(plain(each))))
    expect(row?.[1], String(name)).toContain('no effect')
    for (const setting of by.split(/ or | and /)) expect(row?.[1]).toContain(setting)
  }
})

const SETTING = /\b(?:OS_CREDITS|USAGE_EXPORTER|CREDITS|API|MAIL|PROMETHEUS|METRICS|CLOUD)_[A-Z_]*[A-Z]\b/g

test('The manuals name settings that there are', () => {
  const ofCompose = [...composeText.matchAll(/\$\{(\w+):-/g)].map((match) => match[1]!)
  const ofTheCommandLine = ['OS_CREDITS_URL']
  const isKnown = (name: string) =>
    name in declarations ||
    name.replace(/_FILE$/, '') in declarations ||
    replaced.some(({ name: old }) => old.test(name)) ||
    [...ofCompose, ...ofTheCommandLine].includes(name)
  const named = manuals.flatMap((path) => {
    const text = read(path)
    const code = [...inlineCode(text), ...['sh', 'yaml', 'ini'].flatMap((language) => fenced(text, language))]
    return (code.join('\n').match(SETTING) ?? []).map((name) => ({ path, name }))
  })
  expect(new Set(named.map(({ path }) => path)).size).toBeGreaterThan(8)
  expect(named.filter(({ name }) => !isKnown(name))).toEqual([])
})
