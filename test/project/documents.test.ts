/** What all documents say of the repository: paths, links, names of functions, words, versions. */
import { readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, suite, test } from 'vitest'
import { loadSettings } from '#src/config/settings.ts'
import {
  anchors,
  documents,
  exists,
  inlineCode,
  links,
  packageJson,
  plain,
  read,
  root,
  section,
  sources,
  tableRows,
} from './repository.ts'
import { contacts, decisionKinds, entryKinds, holdKinds, noteKinds, noticeStates, rejections } from './words.ts'

suite.each(documents)('%s', (document) => {
  const text = read(document)

  test('links to files and headings that exist', () => {
    const broken = links(text).filter((link) => {
      const [path, anchor] = link.split('#') as [string, string | undefined]
      const target = path === '' ? document : join(dirname(document), path)
      return !exists(target) || (anchor !== undefined && !anchors(read(target)).includes(anchor))
    })
    expect(broken).toEqual([])
  })

  test('names paths that exist', () => {
    const paths = inlineCode(text).filter((code) => /^(src|test|docs|bench|deploy|\.ci)\/[\w./-]*$/.test(code))
    expect(paths.filter((path) => !exists(path))).toEqual([])
  })

  test('names functions that exist', () => {
    const names = inlineCode(text).flatMap((code) => /^(\w+)\(\)$/.exec(code)?.[1] ?? [])
    const unknown = names.filter((name) => !sources.some(({ text: code }) => new RegExp(`\\b${name}\\(`).test(code)))
    expect(unknown).toEqual([])
  })
})

suite('docs/ARCHITECTURE.md', () => {
  const text = read('docs/ARCHITECTURE.md')

  test('tells of every folder of the source', () => {
    const told = tableRows(section(text, 'The walk')).map(([folder]) => plain(folder!))
    const folders = readdirSync(join(root, 'src'), { withFileTypes: true }).filter((entry) => entry.isDirectory())
    expect(told.toSorted()).toEqual(folders.map(({ name }) => `src/${name}/`).toSorted())
  })

  test('follows a reading and a publish by the names of functions', () => {
    const named = (heading: string) => inlineCode(section(text, heading)).filter((code) => code.endsWith('()'))
    expect(named('The life of one reading').length).toBeGreaterThan(8)
    expect(named('The life of one publish').length).toBeGreaterThan(6)
  })
})

suite('docs/GLOSSARY.md', () => {
  const text = read('docs/GLOSSARY.md')
  const words = tableRows(text).flatMap(([word]) => plain(word!).split(', '))

  test('explains every decision, hold, kind of entry and state of a notice', () => {
    expect(words).toEqual(expect.arrayContaining([...decisionKinds, ...holdKinds, ...entryKinds, ...noticeStates]))
  })

  test('has every kind of hold in a table of its own', () => {
    expect(tableRows(section(text, 'Kinds of holds')).map(([kind]) => plain(kind!))).toEqual(holdKinds)
  })

  test('names the states of a contact, the reasons of a rejection and the kinds of notes', () => {
    const rowOf = (word: string) =>
      inlineCode(
        tableRows(text)
          .find(([first]) => first === word)!
          .join(' '),
      )
    expect(rowOf('contact')).toEqual(contacts)
    expect(rowOf('admission')).toEqual(rejections)
    expect(rowOf('note')).toEqual(noteKinds)
  })

  test('explains each word once', () => {
    const ownTable = tableRows(section(text, 'Kinds of holds')).length
    const others = words.slice(0, -ownTable)
    expect(others.filter((word, index) => others.indexOf(word) !== index)).toEqual([])
  })
})

suite('docs/decisions', () => {
  const files = readdirSync(join(root, 'docs/decisions')).sort()

  test('are numbered without a gap', () => {
    expect(files.map((file) => Number(/^(\d{4})-[a-z-]+\.md$/.exec(file)?.[1]))).toEqual(files.map((_, i) => i + 1))
  })

  test.each(files)('%s has its number, context, decision and consequences', (file) => {
    const text = read(`docs/decisions/${file}`)
    expect(text).toMatch(new RegExp(`^# ${Number(file.slice(0, 4))}\\. \\S`))
    expect(text.match(/^\*\*\w+\.\*\*/gm)).toEqual(['**Context.**', '**Decision.**', '**Consequences.**'])
  })
})

suite('CHANGELOG.md', () => {
  const text = read('CHANGELOG.md')
  const versions = [...text.matchAll(/^## \[([^\]]+)\](.*)$/gm)]

  test('begins with what is unreleased and then has the version of the program, with its day', () => {
    expect(versions.map((match) => match[1]).slice(0, 2)).toEqual(['Unreleased', packageJson.version])
    for (const [, , day] of versions.slice(1)) expect(day).toMatch(/^ - \d{4}-\d{2}-\d{2}$/)
  })

  test('tells of each version in three parts, billing and safety first', () => {
    for (const [heading] of versions.slice(1)) {
      const parts = section(text, heading.slice(3)).match(/^### .*$/gm)
      expect(parts, heading).toEqual(['### Billing and safety', '### Features', '### Internals'])
    }
  })
})

test.each(['docs/prices.example.yaml', 'src/demo/prices.yaml'])('%s is a prices file without a problem', (path) => {
  const env = { USAGE_EXPORTER_URLS: 'http://exporter:8080/metrics', OS_CREDITS_PRICES_FILE: path }
  const { settings } = loadSettings(env, read)
  expect([...settings.meters.keys()]).toEqual(['project_vcpu_usage', 'project_mb_usage'])
})

test('docs/targets.example.yaml is a file of targets without a problem', () => {
  const { settings } = loadSettings({ USAGE_EXPORTER_TARGETS_FILE: 'docs/targets.example.yaml' }, read)
  expect(settings.targets.map(({ url }) => URL.parse(url)!.host)).toEqual([
    '10.0.0.5:8080',
    '10.1.0.5:8080',
    '10.1.0.6:8080',
    'portal.example.org',
    'portal2.example.org:9090',
  ])
  const [portal, same] = settings.targets.slice(-2).map(({ url }) => URL.parse(url)!)
  expect(same!.searchParams.get('match[]')).toBe('{__name__=~"project_(vcpu|mb)_usage"}')
  expect([...portal!.searchParams]).toEqual([...same!.searchParams])
})
