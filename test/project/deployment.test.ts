/** docs/DEPLOYMENT.md, kept true: what it has people type, write and look for is what there is. */
import { spawnSync } from 'node:child_process'
import { copyFileSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { parseEnv } from 'node:util'
import { expect, suite, test } from 'vitest'
import { parse } from 'yaml'
import { declarations } from '#src/config/declarations.ts'
import { loadSettings } from '#src/config/settings.ts'
import { openDatabase } from '#src/ledger/sqlite/database.ts'
import { temporaryFolder } from '../process/processes.ts'
import { type Compose, compose, composeText, services } from './compose.ts'
import {
  fenced,
  inlineCode,
  packageJson,
  plain,
  read,
  root,
  section,
  sources,
  tableRows,
  typedIn,
} from './repository.ts'

const text = read('docs/DEPLOYMENT.md')
const typed = fenced(text, 'sh')
const lines = typedIn(text)

suite('The commands of docs/DEPLOYMENT.md', () => {
  test('that read a ledger are answered by it', () => {
    const db = new DatabaseSync(':memory:')
    db.exec(read('src/ledger/sqlite/migrations/0001.sql'))
    const queries = typed.flatMap((line) => /^sqlite3 \S+ "(SELECT .*)"$/.exec(line)?.[1] ?? [])
    expect(queries.length).toBe(1)
    for (const query of queries) expect(db.prepare(query).all(), query).toEqual([])
    db.close()
  })
})

const hasJq = spawnSync('jq', ['--version']).error === undefined
if (!hasJq) process.stderr.write('NOT TESTED: the recipe with jq of docs/DEPLOYMENT.md (jq is not in the path)\n')

suite.skipIf(!hasJq)('The recipe after a restore', () => {
  const recipe = fenced(section(text, 'Restore'), 'sh').join('\n')
  const filter = /jq -r (--arg .*?) '\n(.*?)' \|$/ms.exec(recipe)!

  test('gives back what is by the own login and was seen since, and nothing else', () => {
    const drift = {
      group: 'Großes Mikroskop',
      expected: '106.74',
      shown: '240.74',
      seen_at: '2026-11-28T12:00:01.000Z',
      modified_by: 'credits',
    }
    const drifts = [
      drift,
      { ...drift, modified_by: 'somebody' },
      { ...drift, seen_at: '2026-11-28T11:59:59.000Z' },
      { ...drift, group: 'b', expected: '1.1', shown: '2.2' },
    ]
    const words = filter[1]!.replace('"$since"', '2026-11-28T12:00:00Z').split(' ')
    const { stdout, stderr } = spawnSync('jq', ['-r', ...words, filter[2]!], {
      input: JSON.stringify({ drifts }),
      encoding: 'utf8',
    })
    expect({ stdout, stderr }).toEqual({ stdout: 'Großes Mikroskop\t-134\nb\t-1.1\n', stderr: '' })
  })
})

suite('The files of docs/DEPLOYMENT.md', () => {
  test('name settings that there are', () => {
    const code = [...lines, ...fenced(text, 'yaml'), ...fenced(text, 'ini')].join('\n')
    const names = new Set(
      code.match(/\b(?:OS_CREDITS|USAGE_EXPORTER|CREDITS|API|MAIL|PROMETHEUS|METRICS|CLOUD)_[A-Z_]*[A-Z]\b/g),
    )
    expect(names.size).toBeGreaterThan(15)
    const ofCompose = [...composeText.matchAll(/\$\{(\w+):-/g)].map((match) => match[1]!)
    const known = (name: string) =>
      name in declarations || name.replace(/_FILE$/, '') in declarations || ofCompose.includes(name)
    expect([...names].filter((name) => !known(name))).toEqual([])
  })

  test('make an .env with which the worker starts', () => {
    const env = parseEnv(typed.filter((line) => /^[A-Z_]+=/.test(line)).join('\n'))
    expect(Object.keys(env).length).toBeGreaterThan(4)
    const secrets = { API_KEY_FILE: 'a', OS_CREDITS_PERUN_PASSWORD_FILE: 'b' }
    const { warnings, settings } = loadSettings({ ...(env as Record<string, string>), ...secrets }, () => 'of-a-file')
    expect(warnings).toEqual([])
    expect(settings.targets.length).toBe(2)
  })

  test('extend the compose file by what fits', () => {
    const override = parse(fenced(text, 'yaml').join('\n')) as Compose
    const [[name, { environment, secrets }]] = Object.entries(override.services) as [
      [string, Compose['services'][string]],
    ]
    expect(compose.services).toHaveProperty(name)
    expect(secrets).toEqual(Object.keys(override.secrets))
    expect(Object.values(environment!)).toEqual(expect.arrayContaining(secrets!.map((each) => `/run/secrets/${each}`)))
  })

  test('are volumes and secrets that the compose file has', () => {
    const volumes = [...text.matchAll(/`credits_(\w+)`/g)].map((match) => match[1]!)
    expect(volumes).toEqual(expect.arrayContaining(['ledger', 'grafana']))
    expect(volumes.filter((volume) => !(volume in compose.volumes))).toEqual([])
    const secrets = new Set([...text.matchAll(/(?<=[ `/])secrets\/(\w+)/g)].map((match) => match[1]!))
    expect([...secrets].filter((name) => name !== 'api_reader_key').toSorted()).toEqual(
      Object.keys(compose.secrets).toSorted(),
    )
  })

  test('tell of every page of the stack', () => {
    const told = tableRows(section(text, 'Try the whole stack')).map(([url]) => `127.0.0.1:${new URL(url!).port}`)
    const published = services
      .filter(([, { profiles }]) => profiles.includes('stack'))
      .flatMap(([, { ports = [] }]) => ports)
    expect(told.toSorted()).toEqual(published.map((port) => port.replace(/:\d+$/, '')).toSorted())
  })
})

test('The profiles of docs/DEPLOYMENT.md are those of the compose file', () => {
  const told = tableRows(section(text, 'What Docker Compose runs')).map(([profile]) => plain(profile!))
  expect(new Set(told)).toEqual(new Set(services.flatMap(([, { profiles }]) => profiles)))
  expect(compose.volumes).toHaveProperty('ledger')
  expect(read('Makefile')).toContain(` -v ${compose.name}_ledger:/data `)
})

suite('The troubleshooting of docs/DEPLOYMENT.md', () => {
  test('quotes messages that the program says', () => {
    const ofOthers =
      /^(bind source|port is already|secrets\/|unhealthy|OOMKilled|docker |make |status=|bad option|ERR_|\.env|API_KEY)/
    const shown = tableRows(section(text, 'Troubleshooting')).flatMap(([seen]) => inlineCode(seen!))
    const messages = shown.filter((message) => !ofOthers.test(message))
    expect(messages.length).toBeGreaterThan(5)
    const said = sources.map(({ text: code }) => code).join('\n')
    const names = /API_KEY_FILE/g
    const fragments = messages.flatMap((message) => message.split(names)).map((part) => part.trim())
    expect(fragments.filter((fragment) => !said.includes(fragment))).toEqual([])
  })

  test('quotes what is said about a ledger of a newer version', () => {
    const path = join(temporaryFolder(), 'credits.db')
    openDatabase(path).close()
    const db = new DatabaseSync(path)
    const { user_version: version } = db.prepare('PRAGMA user_version').get() as { user_version: number }
    db.exec(`PRAGMA user_version = ${version + 1}`)
    db.close()
    const [said] = fenced(section(text, 'Back to an older version'), '')
    const pattern = new RegExp(`^${said!.replace(/[.]/g, '\\.').replace(/\d+/g, '\\d+')}$`)
    expect(() => openDatabase(path)).toThrow(pattern)
  })
})

suite('make', () => {
  /** A folder with the Makefile, where `docker` only tells what it was asked for. */
  function folderForMake() {
    const folder = temporaryFolder()
    copyFileSync(join(root, 'Makefile'), join(folder, 'Makefile'))
    writeFileSync(join(folder, 'docker'), '#!/bin/sh\necho "asked: $*"\n', { mode: 0o755 })
    const env = { ...process.env, PATH: `${folder}:${process.env.PATH}` }
    const make = (...words: string[]) =>
      spawnSync('make', ['--silent', ...words], { cwd: folder, env, encoding: 'utf8' })
    return { folder, make }
  }

  test('secrets makes keys that are missing, differ and are for one folder only', () => {
    const { folder, make } = folderForMake()
    const keys = () =>
      ['api_key', 'grafana_admin_password'].map((name) => readFileSync(join(folder, 'secrets', name), 'utf8'))
    expect(make('secrets').status).toBe(0)
    const first = keys()
    for (const key of first) expect(key).toMatch(/^[0-9a-f]{48}$/)
    expect(first[0]).not.toBe(first[1])
    expect(statSync(join(folder, 'secrets')).mode & 0o777).toBe(0o700)
    expect(statSync(join(folder, 'secrets/api_key')).mode & 0o777).toBe(0o444)
    expect(make('secrets')).toMatchObject({ status: 0, stdout: '' })
    expect(keys()).toEqual(first)
  })

  test('up, logs and down ask Compose for the profile', () => {
    const { make } = folderForMake()
    const asked = (...words: string[]) =>
      [...make(...words).stdout.matchAll(/^asked: (.*)$/gm)].map((match) => match[1])
    const demo = 'compose --profile demo'
    expect(asked('up', 'PROFILE=demo')).toEqual([`${demo} up --build --detach --wait`, `${demo} ps`])
    expect(asked('logs', 'PROFILE=demo')).toEqual([`${demo} logs --follow --tail 50`])
    expect(asked('down')).toEqual(['compose --profile stack down'])
  })

  test('up starts no production without the password at Perun', () => {
    const { folder, make } = folderForMake()
    const refused = make('up', 'PROFILE=worker')
    expect(refused.status).not.toBe(0)
    expect(refused.stdout).toContain('secrets/perun_password')
    expect(refused.stdout).not.toContain('asked')
    writeFileSync(join(folder, 'secrets/perun_password'), 'secret')
    expect(make('up', 'PROFILE=worker')).toMatchObject({ status: 0, stdout: expect.stringContaining('asked') })
  })
})

test('The document is about this version of the images', () => {
  expect(text).toContain(`CREDITS_VERSION=${packageJson.version} `)
})
