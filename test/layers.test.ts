/** The architecture, kept: who may import whom, and what may be used where. */
import { globSync, readFileSync } from 'node:fs'
import { join, posix } from 'node:path'
import { expect, suite, test } from 'vitest'

const root = join(import.meta.dirname, '..')
const sources = globSync('src/**/*.ts', { cwd: root })
  .map((path) => path.replaceAll('\\', '/'))
  .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }))

const numberHelpers = /^core\/(decimals|credits|time)\.ts$/

/** The first line whose `who` fits a file says what it may import of `src/`, beside its own folder. */
const mayImport: { who: RegExp; what: RegExp[] }[] = [
  { who: /^(groupMetrics|main|notifying|past|replicaTable|service|worker)\.ts$/, what: [/./] },
  { who: /^core\//, what: [] },
  { who: /^(config|telemetry)\//, what: [/^core\//] },
  { who: /^sources\//, what: [/^core\//, /^telemetry\//, /^sources\/[^/]+\.ts$/] },
  { who: /^ledger\//, what: [/^core\//, /^telemetry\//, /^ledger\/[^/]+\.ts$/] },
  { who: /^publish\//, what: [/^core\//, /^telemetry\//, /^publish\/[^/]+\.ts$/, /^ledger\/ledger\.ts$/] },
  { who: /^billing\//, what: [/^core\//, /^telemetry\//, /^(ledger|publish|sources)\/[^/]+\.ts$/] },
  { who: /^http\//, what: [/^core\//, /^telemetry\//, /^(ledger|publish|sources)\/[^/]+\.ts$/, /^http\//] },
  { who: /^demo\//, what: [numberHelpers, /^demo\//] },
  // It knows the worker by its answers only.
  { who: /^cli\//, what: [numberHelpers, /^core\/nearest\.ts$/] },
  // It knows the tables of each ledger.
  { who: /^move\//, what: [/^core\//, /^config\/ledgerLocation\.ts$/, /^ledger\//] },
  // Programs that open a ledger by themselves: built of the worker's parts, with the command line's tables.
  {
    who: /^tools\//,
    what: [
      /^(config|core|billing|ledger|publish|sources|telemetry)\//,
      /^past\.ts$/,
      /^cli\/(printable|table|terminal)\.ts$/,
    ],
  },
  // A check that shares code with what it checks shares its mistakes.
  { who: /^verify\//, what: [] },
]

/** Folders whose files may not import each other: adapters of one port. */
const adapters = /^(sources|ledger|publish)\/[^/]+\//

const core = /^src\/core\//
const billing = /^src\/billing\//

const banned: { text: RegExp; within?: RegExp; except?: RegExp; instead: string }[] = [
  { text: /process\.env/, except: /^src\/(.*\/)?main\.ts$/, instead: 'settings that main.ts parsed' },
  {
    text: /\bconsole\b|process\.stdout/,
    except: /^src\/(telemetry\/|(cli|demo|move|verify|tools\/\w+)\/main\.ts$)/,
    instead: 'a logger',
  },
  {
    text: /Date\.now\(|new Date\(\)|performance\.now\(/,
    within: core,
    except: /^src\/core\/time\.ts$/,
    instead: 'a given instant',
  },
  { text: /Date\.now\(|new Date\(\)|performance\.now\(/, within: billing, instead: 'the given clock' },
  { text: /Math\.random\(/, within: core, instead: 'a given number' },
  { text: /from '(node:|[a-z@])/, within: core, instead: 'nothing: core/ imports only core/' },
  { text: /(from|import) '(\.[^']*(?<!\.ts))'/, instead: 'an import that ends in .ts' },
  { text: /\b(TODO|FIXME|XXX)\b/, instead: 'the work itself' },
  { text: /@ts-(ignore|nocheck|expect-error)/, instead: 'a type that is true' },
]

/** What a file imports of `src/`, as paths below it; type imports too. */
function importsOf({ path, text }: { path: string; text: string }): string[] {
  const specifiers = [...text.matchAll(/(?:from|import)\s*\(?\s*'((?:\.|#src\/)[^']+)'/g)].map((match) => match[1]!)
  const absolute = specifiers.map((each) =>
    each.startsWith('#') ? each.replace('#', '') : posix.join(posix.dirname(path), each),
  )
  return absolute.map((each) => each.replace(/^src\//, ''))
}

function isAllowed(who: string, what: string): boolean {
  const rule = mayImport.find((each) => each.who.test(who))
  if (rule === undefined) return false
  const [ownAdapter, otherAdapter] = [adapters.exec(who)?.[0], adapters.exec(what)?.[0]]
  if (otherAdapter !== undefined) return ownAdapter === otherAdapter || rule.what.some((each) => each.test(what))
  return (
    posix.dirname(who).split('/')[0] === posix.dirname(what).split('/')[0] || rule.what.some((each) => each.test(what))
  )
}

suite('the source', () => {
  test('is what is looked at here', () => {
    expect(sources.length).toBeGreaterThan(40)
    expect(sources.flatMap(importsOf).length).toBeGreaterThan(100)
  })

  test('imports only what its layer may', () => {
    const offences = sources.flatMap((source) => {
      const who = source.path.replace('src/', '')
      return importsOf(source)
        .filter((what) => !isAllowed(who, what))
        .map((what) => `${who} imports ${what}`)
    })
    expect(offences).toEqual([])
  })

  test('uses nothing that is banned', () => {
    const offences = sources.flatMap(({ path, text }) =>
      banned
        .filter(
          ({ text: ban, within, except }) =>
            (within?.test(path) ?? true) && !(except?.test(path) ?? false) && ban.test(text),
        )
        .map(({ text: ban, instead }) => `${path}: ${ban} is banned, use ${instead}`),
    )
    expect(offences).toEqual([])
  })
})

// The rules themselves: what must be found is found.
suite('a file', () => {
  test.each([
    ['core/decide.ts', 'telemetry/logger.ts', false],
    ['core/decide.ts', 'core/time.ts', true],
    ['ledger/sqlite/ledger.ts', 'ledger/ledger.ts', true],
    ['ledger/sqlite/ledger.ts', 'ledger/sqlite/reader.ts', true],
    ['ledger/sqlite/ledger.ts', 'ledger/postgres/ledger.ts', false],
    ['ledger/sqlite/ledger.ts', 'billing/biller.ts', false],
    ['publish/outbox.ts', 'publish/perun/publisher.ts', false],
    ['publish/perun/publisher.ts', 'ledger/ledger.ts', true],
    ['publish/perun/publisher.ts', 'ledger/sqlite/ledger.ts', false],
    ['billing/intake.ts', 'sources/source.ts', true],
    ['billing/intake.ts', 'sources/prometheus/loop.ts', false],
    ['http/app.ts', 'ledger/ledger.ts', true],
    ['http/routes/ping.ts', 'http/app.ts', true],
    ['http/app.ts', 'ledger/sqlite/ledger.ts', false],
    ['demo/exporter/cloud.ts', 'core/time.ts', true],
    ['demo/exporter/cloud.ts', 'core/decide.ts', false],
    ['demo/perun/store.ts', 'demo/exporter/cloud.ts', true],
    ['service.ts', 'ledger/sqlite/ledger.ts', true],
    ['cli/client.ts', 'core/credits.ts', true],
    ['cli/client.ts', 'http/route.ts', false],
    ['http/app.ts', 'cli/table.ts', false],
    ['tools/backfill/main.ts', 'ledger/sqlite/ledger.ts', true],
    ['tools/backfill/main.ts', 'cli/client.ts', false],
    ['tools/backup/main.ts', 'verify/verify.ts', false],
    ['billing/catchUp.ts', 'tools/program.ts', false],
    ['verify/entries.ts', 'verify/fixed.ts', true],
    ['verify/fixed.ts', 'core/decimals.ts', false],
    ['verify/hashes.ts', 'ledger/receipts.ts', false],
    ['ledger/sqlite/ledger.ts', 'verify/verify.ts', false],
    ['elsewhere/new.ts', 'core/time.ts', false],
  ])('%s may import %s: %s', (who, what, expected) => {
    expect(isAllowed(who, what)).toBe(expected)
  })

  test('is found out by its imports, whichever way they are written', () => {
    const text = `import a from './a.ts'\nimport type { B } from '../core/b.ts'\nexport * from '#src/http/c.ts'\nawait import('./d.ts')\nimport './e.ts'`
    expect(importsOf({ path: 'src/billing/x.ts', text })).toEqual([
      'billing/a.ts',
      'core/b.ts',
      'http/c.ts',
      'billing/d.ts',
      'billing/e.ts',
    ])
  })
})
