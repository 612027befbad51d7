import { expect, suite, test } from 'vitest'
import { entries } from '#src/config/declarations.ts'
import type { Environment } from '#src/config/environment.ts'
import { ConfigError, describeSettings, loadSettings, type Settings, secretsOf } from '#src/config/settings.ts'

const minimal = { USAGE_EXPORTER_URLS: 'http://exporter:8080/metrics' }

const withPerun = {
  ...minimal,
  OS_CREDITS_PERUN_URL: 'https://perun.example.org/ba/rpc/json',
  OS_CREDITS_PERUN_LOGIN: 'credits',
  OS_CREDITS_PERUN_PASSWORD: 'perun-secret',
  OS_CREDITS_PERUN_VO_ID: '4711',
}

/** Reads settings with files that are given by their content; any other file does not exist. */
function load(env: Environment, files: Readonly<Record<string, string>> = {}) {
  return loadSettings(env, (path) => {
    const content = files[path]
    if (content === undefined) throw Object.assign(new Error(`ENOENT: ${path}`), { code: 'ENOENT' })
    return content
  })
}

function problemsOf(env: Environment, files?: Readonly<Record<string, string>>): readonly string[] {
  try {
    load(env, files)
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
  return []
}

suite('The settings of a worker', () => {
  test('need no more than an exporter; the rest holds by default', () => {
    const { effective: _, meters, ...settings } = load(minimal).settings
    expect(settings).toEqual({
      targets: [{ url: 'http://exporter:8080/metrics', labels: {} }],
      scrape: { interval: 60_000, timeout: 10_000 },
      maxSeries: 250_000,
      smallSites: 'hold',
      ledger: { kind: 'sqlite', path: 'data/credits.db' },
      replicaLease: 30_000,
      workers: 10,
      precision: 2,
      http: { host: '127.0.0.1', port: 8_000, keys: {}, rateLimit: 600 },
      groupMetrics: 'off',
      log: { level: 'info' },
      notifyAt: [50, 80, 100],
      notifyDays: 14,
    } satisfies Omit<Settings, 'effective' | 'meters'>)
    expect([...meters.keys()]).toEqual(['project_vcpu_usage', 'project_mb_usage'])
  })

  test('need no exporter where readings are pushed', () => {
    const { settings } = load({ API_WRITER_KEY: 'writer-key' })
    expect([settings.targets, settings.http.keys]).toEqual([[], { writer: 'writer-key' }])
    expect(secretsOf(settings)).toContain('writer-key')
  })

  test('take everything that is set', () => {
    const { settings } = load({
      ...withPerun,
      USAGE_EXPORTER_URLS: 'http://a/metrics; http://b/federate?match[]=x ;',
      USAGE_EXPORTER_TOKEN: 'token',
      OS_CREDITS_LOCATION_ID: '8676',
      OS_CREDITS_SCRAPE_INTERVAL: ' 5m ',
      OS_CREDITS_SCRAPE_TIMEOUT: '1m',
      OS_CREDITS_LEDGER: 'sqlite:/data/ledger.db',
      OS_CREDITS_PERUN_USED_ATTRIBUTE: 'urn:perun:group:attribute-def:def:used',
      OS_CREDITS_PERUN_MAX_AGE: '0s',
      OS_CREDITS_PROJECT_WHITELIST: 'alpha;beta gamma',
      OS_CREDITS_MAX_SERIES: '20000',
      OS_CREDITS_RATE_LIMIT: '0',
      OS_CREDITS_WORKERS: '3',
      OS_CREDITS_PRECISION: '0',
      CREDITS_HOST: '0.0.0.0',
      CREDITS_PORT: '0',
      API_KEY: 'operator-key',
      API_READER_KEY: 'reader-key',
      API_WRITER_KEY: 'writer-key',
      OS_CREDITS_GROUP_METRICS: 'On',
      LOG_LEVEL: 'WARNING',
    })
    expect(settings).toMatchObject({
      targets: [{ url: 'http://a/metrics' }, { url: 'http://b/federate?match[]=x' }],
      scrape: { interval: 300_000, timeout: 60_000, token: 'token' },
      site: '8676',
      ledger: { kind: 'sqlite', path: '/data/ledger.db' },
      perun: {
        url: 'https://perun.example.org/ba/rpc/json',
        login: 'credits',
        password: 'perun-secret',
        voId: 4_711,
        attributes: {
          used: 'urn:perun:group:attribute-def:def:used',
          granted: 'urn:perun:group:attribute-def:opt:denbiCreditsGranted',
          timestamps: 'urn:perun:group_resource:attribute-def:opt:denbiCreditTimestamps',
          email: 'urn:perun:group:attribute-def:def:toEmail',
        },
        maxAge: 0,
        timeout: 30_000,
      },
      whitelist: new Set(['alpha', 'beta gamma']),
      maxSeries: 20_000,
      workers: 3,
      precision: 0,
      http: {
        host: '0.0.0.0',
        port: 0,
        keys: { operator: 'operator-key', reader: 'reader-key', writer: 'writer-key' },
        rateLimit: 0,
      },
      groupMetrics: 'on',
      log: { level: 'warn' },
    })
  })

  test('that are set to nothing count as not set', () => {
    const empty = Object.fromEntries(
      entries.flatMap(([name]) => [
        [name, ''],
        [`${name}_FILE`, ' '],
      ]),
    )
    expect(load({ ...empty, ...minimal }).settings).toEqual(load(minimal).settings)
  })

  test('cannot be changed', () => {
    const { settings } = load(withPerun)
    for (const part of [
      settings,
      settings.scrape,
      settings.targets[0],
      settings.perun?.attributes,
      settings.http.keys,
    ]) {
      expect(Object.isFrozen(part)).toBe(true)
    }
  })
})

suite('A problem with the settings', () => {
  const problems: [string, Environment, string][] = [
    [
      'no exporter',
      { USAGE_EXPORTER_URLS: undefined },
      'USAGE_EXPORTER_URLS: expected an address, here or in USAGE_EXPORTER_TARGETS_FILE, or API_WRITER_KEY for pushes, got nothing',
    ],
    [
      'an exporter without http',
      { USAGE_EXPORTER_URLS: 'http://a/;b:8080' },
      'USAGE_EXPORTER_URLS: expected an http or https address, such as http://10.0.0.5:8080/metrics in each entry, got "b:8080"',
    ],
    [
      'an exporter twice',
      { USAGE_EXPORTER_URLS: 'http://a;http://b;http://a/;http://a' },
      'USAGE_EXPORTER_URLS: expected each address once, also in USAGE_EXPORTER_TARGETS_FILE, got "http://a/" again',
    ],
    [
      'an exporter with a login twice',
      { USAGE_EXPORTER_URLS: 'http://ann:secret@a/?token=secret;http://ann:secret@a/?token=secret' },
      'USAGE_EXPORTER_URLS: expected each address once, also in USAGE_EXPORTER_TARGETS_FILE, got "http://a/?…" again',
    ],
    [
      'a number out of bounds',
      { OS_CREDITS_WORKERS: '0' },
      'OS_CREDITS_WORKERS: expected a whole number from 1 to 1000, got "0"',
    ],
    [
      'no series at all',
      { OS_CREDITS_MAX_SERIES: '0' },
      'OS_CREDITS_MAX_SERIES: expected a whole number from 1 to 100000000, got "0"',
    ],
    [
      'neither on nor off',
      { OS_CREDITS_GROUP_METRICS: 'yes' },
      'OS_CREDITS_GROUP_METRICS: expected off, on or forecasts, got "yes"',
    ],
    [
      'a limit of requests with a unit',
      { OS_CREDITS_RATE_LIMIT: '10/s' },
      'OS_CREDITS_RATE_LIMIT: expected a whole number from 0 to 1000000, got "10/s"',
    ],
    [
      'a quantum instead of decimals',
      { OS_CREDITS_PRECISION: '0.01' },
      'OS_CREDITS_PRECISION: expected a whole number from 0 to 6, got "0.01"',
    ],
    [
      'a scrape longer than its interval',
      { OS_CREDITS_SCRAPE_TIMEOUT: '1.5m' },
      'OS_CREDITS_SCRAPE_TIMEOUT: expected a duration shorter than OS_CREDITS_SCRAPE_INTERVAL (60s), got 1.5m',
    ],
    [
      'a ledger in a server without a database',
      { OS_CREDITS_LEDGER: 'postgres://ann:secret@db' },
      'OS_CREDITS_LEDGER: expected sqlite:path/to/file.db or postgres://user:password@host:5432/database, got an address that is not shown, as it may hold a password',
    ],
    [
      'a file that does not exist',
      { OS_CREDITS_PRICES_FILE: 'prices.yaml' },
      'OS_CREDITS_PRICES_FILE: expected a file that can be read, got "prices.yaml" (ENOENT)',
    ],
    [
      'two price lists',
      { OS_CREDITS_PRICES_FILE: 'fine.yaml', METRICS_TO_BILL: '{"x": 1}' },
      'METRICS_TO_BILL: expected no value, as OS_CREDITS_PRICES_FILE is set, got both',
    ],
    [
      'the same key twice',
      { API_KEY: 'same', API_READER_KEY: 'same' },
      'API_READER_KEY: expected another key than API_KEY, as that one may do everything, got the same',
    ],
    [
      'one key for operators and writers',
      { API_KEY: 'same', API_WRITER_KEY: 'same' },
      'API_WRITER_KEY: expected another key than API_KEY, as that one may do everything, got the same',
    ],
    [
      'one key for readers and writers',
      { API_READER_KEY: 'same', API_WRITER_KEY: 'same' },
      'API_WRITER_KEY: expected another key than API_READER_KEY, as readers may not push, got the same',
    ],
    [
      'a bad port of the mail server',
      { MAIL_SMTP_PORT: 'smtp' },
      'MAIL_SMTP_PORT: expected a whole number from 0 to 65535, got "smtp"',
    ],
    [
      'an address of mail with a name, or with a line of its own',
      { MAIL_FROM: 'Credits <credits@example.org>\nBcc: max@example.org' },
      'MAIL_FROM: expected a plain mail address without a name before it: letters, @ and a host, got "Credits <credits@example.org>\\nBcc: max@example.org"',
    ],
    [
      'a login at the mail server without its password',
      { MAIL_SMTP_USER: 'credits' },
      'MAIL_SMTP_PASSWORD: expected a value, as MAIL_SMTP_USER is set, got nothing',
    ],
    [
      'webhooks that nobody could believe',
      { OS_CREDITS_WEBHOOK_URLS: 'https://hooks.example.org/token' },
      'OS_CREDITS_WEBHOOK_SECRET: expected a value, as OS_CREDITS_WEBHOOK_URLS is set, got nothing',
    ],
    [
      'a key of webhooks that is too short',
      { OS_CREDITS_WEBHOOK_SECRET: 'whsec_c2hvcnQ=' },
      'OS_CREDITS_WEBHOOK_SECRET: expected whsec_ and 24 to 64 bytes in base64, got a value that is not shown',
    ],
    [
      'a bad secret',
      { API_KEY: 'two words' },
      'API_KEY: expected printable ASCII characters without blanks, got a value that is not shown',
    ],
    [
      'a very long value',
      { LOG_LEVEL: 'x'.repeat(5_000) },
      `LOG_LEVEL: expected one of trace, debug, info, warn, error, fatal, silent, got "${'x'.repeat(80)}…"`,
    ],
  ]

  test.each(problems)('is told with name, expectation and finding: %s', (_, env, problem) => {
    const files = { 'fine.yaml': 'meters: [{ metric: x, prices: [{ price: 1 }] }]' }
    expect(problemsOf({ ...minimal, ...env }, files)).toEqual([problem])
  })

  test.each(['LOGIN', 'PASSWORD', 'VO_ID'])('is Perun without a %s', (part) => {
    expect(problemsOf({ ...withPerun, [`OS_CREDITS_PERUN_${part}`]: '' })).toEqual([
      `OS_CREDITS_PERUN_${part}: expected a value, as OS_CREDITS_PERUN_URL is set, got nothing`,
    ])
  })

  test('is told together with all others, each once', () => {
    const bad = {
      USAGE_EXPORTER_URLS: 'nowhere',
      OS_CREDITS_LOCATION_ID: 'Bielefeld',
      OS_CREDITS_SCRAPE_INTERVAL: '60',
      OS_CREDITS_PERUN_URL: 'https://perun.example.org',
      OS_CREDITS_PERUN_VO_ID: '-1',
      CREDITS_PORT: 'http',
      METRICS_TO_BILL: '{"project_vcpu_usage": "free", "project mb": 1}',
      USAGE_EXPORTER_TARGETS_FILE: 'targets.yaml',
    }
    const names = problemsOf(bad, { 'targets.yaml': '- targets: [x y]' }).map((problem) => problem.split(':')[0])
    expect(names.toSorted()).toEqual(
      [...Object.keys(bad), 'METRICS_TO_BILL', 'OS_CREDITS_PERUN_LOGIN', 'OS_CREDITS_PERUN_PASSWORD'].toSorted(),
    )
  })

  test('names the file of targets if an address is twice in it', () => {
    const file = '- targets: [http://c, http://c/, http://ann:secret@a/]\n- targets: [http://ann:secret@a]\n'
    const named = { USAGE_EXPORTER_TARGETS_FILE: 'targets.yaml' }
    const expected = 'USAGE_EXPORTER_TARGETS_FILE: expected each address once, got'
    expect(problemsOf({ ...named, USAGE_EXPORTER_URLS: undefined }, { 'targets.yaml': file })).toEqual([
      `${expected} "http://c/" again`,
      `${expected} "http://a/" again`,
    ])
    expect(problemsOf({ ...named, USAGE_EXPORTER_URLS: 'http://c' }, { 'targets.yaml': file })[0]).toBe(
      'USAGE_EXPORTER_URLS: expected each address once, also in USAGE_EXPORTER_TARGETS_FILE, got "http://c/" again',
    )
  })

  test('stands on its own line of the message, and misspelt names below', () => {
    const env = { ...withPerun, OS_CREDITS_PERUN_LOGIN: '', OS_CREDITS_PERUN_LOGON: 'me', LOG_LEVEL: 'loud' }
    expect(() => load(env)).toThrow(
      [
        'The settings have 2 problems:',
        '  LOG_LEVEL: expected one of trace, debug, info, warn, error, fatal, silent, got "loud"',
        '  OS_CREDITS_PERUN_LOGIN: expected a value, as OS_CREDITS_PERUN_URL is set, got nothing',
        '  OS_CREDITS_PERUN_LOGON is not a setting, is OS_CREDITS_PERUN_LOGIN meant?',
      ].join('\n'),
    )
  })
})

const secretNames = entries.filter(([, { secret }]) => secret).map(([name]) => name)

const withNotifying = {
  MAIL_FROM: 'credits@example.org',
  MAIL_SMTP_USER: 'credits',
  MAIL_SMTP_PASSWORD: 'mail-secret',
  OS_CREDITS_WEBHOOK_URLS: 'https://hooks.example.org/1',
  OS_CREDITS_WEBHOOK_SECRET: `whsec_${'A'.repeat(32)}`,
}
/** Secrets that are no text of any kind. */
const inNotation: Readonly<Record<string, string>> = {
  OS_CREDITS_WEBHOOK_URLS: 'https://hooks.example.org/a-token',
  OS_CREDITS_WEBHOOK_SECRET: `whsec_${'B'.repeat(32)}`,
}

suite('A secret', () => {
  test('is every password, token and key', () => {
    expect(secretNames).toEqual(entries.map(([name]) => name).filter((name) => /PASSWORD|TOKEN|KEY|WEBHOOK/.test(name)))
  })

  test.each(secretNames)('such as %s may come from a file, its last newline removed', (name) => {
    const withPrometheus = { PROMETHEUS_URL: 'http://prometheus.example.org' }
    const env = {
      ...withPerun,
      ...withNotifying,
      ...withPrometheus,
      [name]: undefined,
      [`${name}_FILE`]: '/run/secrets/x',
    }
    const text = inNotation[name] ?? 'from-a-file'
    const { settings } = load(env, { '/run/secrets/x': `${text}\r\n` })
    expect(settings.effective).toContainEqual({ name, shown: 'not shown', origin: 'file' })
    expect(secretsOf(settings)).toContain(text.replace('whsec_', ''))
  })

  test('is the address of a ledger in PostgreSQL, which is shown without its password', () => {
    const file = { secrets: 'postgres://ann:tüp%20secret@db:5433/credits?sslmode=require\n' }
    const { settings } = load({ ...minimal, OS_CREDITS_LEDGER_FILE: 'secrets' }, file)
    expect(settings.ledger).toEqual({ kind: 'postgres', url: file.secrets.trim() })
    expect(describeSettings(settings).OS_CREDITS_LEDGER).toBe('postgres://ann@db:5433/credits (file)')
    expect(secretsOf(settings)).toEqual(['t%C3%BCp%20secret', 'tüp secret'])
  })

  test('is either set or in a file', () => {
    const env = { ...minimal, API_KEY: 'one', API_KEY_FILE: 'key' }
    expect(problemsOf(env, { key: 'other' })).toEqual(['API_KEY: expected no value, as API_KEY_FILE is set, got both'])
  })

  test('in a file that cannot be read or is empty is a problem, and the path is not shown: it may be the secret', () => {
    expect(problemsOf({ ...minimal, API_KEY_FILE: 'hunter2' })).toEqual([
      'API_KEY_FILE: expected a file that can be read, got a path that is not shown (ENOENT)',
    ])
    expect(problemsOf({ ...minimal, API_KEY_FILE: 'key' }, { key: '\n' })).toEqual([
      'API_KEY_FILE: expected a file with a value, got an empty file',
    ])
  })

  test('keeps blanks at its ends when it is a password', () => {
    expect(load({ ...withPerun, OS_CREDITS_PERUN_PASSWORD: ' secret ' }).settings.perun?.password).toBe(' secret ')
  })

  test('is shown neither in problems nor in warnings nor in the description', () => {
    const secret = 'tüp-secret'
    const bad = Object.fromEntries(secretNames.map((name) => [name, `${secret} ${name}`]))
    const logins = { USAGE_EXPORTER_URLS: `http://ann:${secret};@a`, PROMETHEUS_URL: `http//ann:${secret}@b` }
    const perun = { OS_CREDITS_PERUN_URL: `https://ann:${secret}@perun/rpc/json` }
    const targets = { USAGE_EXPORTER_TARGETS_FILE: 'targets' }
    const file = `- http://ann:${secret}@c\n- targets: ["ftp://ann:${secret}@d", "e?token=${secret}"]\n`
    for (const content of [file, `${file}- [`]) {
      const text = problemsOf({ ...bad, ...logins, ...perun, ...targets }, { targets: content }).join('\n')
      expect(text).toContain('USAGE_EXPORTER_TARGETS_FILE')
      expect(text).not.toContain('secret')
    }

    const good = {
      ...Object.fromEntries(secretNames.map((name) => [name, `top-secret-${name}`])),
      MAIL_FROM: 'credits@example.org',
      MAIL_SMTP_USER: 'credits',
      OS_CREDITS_WEBHOOK_URLS: 'https://hooks.example.org/top-secret',
      OS_CREDITS_WEBHOOK_SECRET: `whsec_${'topsecret'.repeat(4)}`,
    }
    const url = 'http://ann:top-secret@a/federate?token=top-secret'
    const { settings, warnings } = load({ ...withPerun, ...good, USAGE_EXPORTER_URLS: url, PROMETHEUS_URL: url })
    expect(JSON.stringify([warnings, describeSettings(settings)])).not.toContain('secret')
  })

  test('is told to the log in each form in which it may turn up', () => {
    const { settings } = load({
      ...withPerun,
      USAGE_EXPORTER_URLS: 'http://ann:p%40ss@a/;http://lonely-token@b/',
      USAGE_EXPORTER_TOKEN: 'scrape-token',
      API_KEY: 'operator-key',
      API_READER_KEY: 'reader-key',
    })
    const encoded = (text: string) => Buffer.from(text).toString('base64')
    expect(new Set(secretsOf(settings))).toEqual(
      new Set([
        'scrape-token',
        'perun-secret',
        encoded('credits:perun-secret'),
        'operator-key',
        'reader-key',
        'p%40ss',
        'p@ss',
        encoded('ann:p@ss'),
        'lonely-token',
      ]),
    )
    expect(secretsOf(load(minimal).settings)).toEqual([])
  })
})

suite('A warning', () => {
  const quiet = { ...withPerun, API_KEY: 'operator-key' }
  const warningsOf = (env: Environment) => load({ ...quiet, ...env }).warnings

  test('is not given without a reason', () => {
    const others = { PATH: '/bin', HOME: '/root', API_URL: 'x', CREDITS_PORT_8000_TCP: 'x', METRICS_HOST: 'x' }
    expect(warningsOf({ ...others, OS_CREDITS_UNUSED: '' })).toEqual([])
  })

  test.each([
    ['OS_CREDITS_WORKER', 'OS_CREDITS_WORKER is not a setting, is OS_CREDITS_WORKERS meant?'],
    ['USAGE_EXPORTER_TOKEN_FIEL', 'USAGE_EXPORTER_TOKEN_FIEL is not a setting, is USAGE_EXPORTER_TOKEN_FILE meant?'],
    ['CREDITS_PRT', 'CREDITS_PRT is not a setting, is CREDITS_PORT meant?'],
    ['API_KEYS', 'API_KEYS is not a setting, is API_KEY meant?'],
    ['METRIC_TO_BILL', 'METRIC_TO_BILL is not a setting, is METRICS_TO_BILL meant?'],
    ['OS_CREDITS_LEDGER_FIEL', 'OS_CREDITS_LEDGER_FIEL is not a setting, is OS_CREDITS_LEDGER_FILE meant?'],
    ['OS_CREDITS_AND_NOTHING_LIKE_IT', 'OS_CREDITS_AND_NOTHING_LIKE_IT is not a setting'],
  ])('tells of a name that is none: %s', (name, warning) => {
    expect(warningsOf({ [name]: 'x' })).toEqual([warning])
  })

  test.each([
    ['VCPU_CREDIT_PER_HOUR', 'METRICS_TO_BILL'],
    ['RAM_CREDIT_PER_HOUR', 'METRICS_TO_BILL'],
    ['INFLUXDB_USER_PASSWORD', 'OS_CREDITS_LEDGER'],
    ['CREDITS_HISTORY_DB', 'OS_CREDITS_LEDGER'],
  ])('tells what replaces %s of the old service', (name, by) => {
    const [warning, ...more] = warningsOf({ [name]: '12345' })
    expect(warning).toMatch(new RegExp(`^${name} has no effect any more, it is replaced by .*${by}`))
    expect(warning).not.toContain('12345')
    expect(more).toEqual([])
  })

  test('does not mind where the command line finds the worker', () => {
    expect(warningsOf({ OS_CREDITS_URL: 'http://127.0.0.1:8000' })).toEqual([])
  })

  test('tells of a token for nothing', () => {
    expect(warningsOf({ PROMETHEUS_TOKEN: 'token' })).toEqual([
      'PROMETHEUS_TOKEN: no effect, as PROMETHEUS_URL is not set',
    ])
    expect(warningsOf({ PROMETHEUS_TOKEN: 'token', PROMETHEUS_URL: 'http://prometheus.example.org' })).toEqual([])
  })

  test.each([
    [
      'without a sender',
      { MAIL_SMTP_SERVER: 'mail.example.org', CLOUD_GOVERNANCE_MAIL: 'cloud@example.org' },
      'CLOUD_GOVERNANCE_MAIL, MAIL_SMTP_SERVER: no effect, as MAIL_FROM is not set: no mail is sent',
    ],
    [
      'with an open password',
      { ...withNotifying, MAIL_NOT_STARTTLS: 'yes' },
      'MAIL_NOT_STARTTLS: the password and the mails go over the network unencrypted',
    ],
    [
      'with a key for nothing',
      { OS_CREDITS_WEBHOOK_SECRET: `whsec_${'A'.repeat(32)}` },
      'OS_CREDITS_WEBHOOK_SECRET: no effect, as OS_CREDITS_WEBHOOK_URLS is not set',
    ],
  ])('tells of notifying %s', (_, env, warning) => {
    expect(load({ ...withPerun, ...env, API_KEY: 'key' }).warnings).toEqual([warning])
  })

  test('tells that owners are known from Perun only', () => {
    expect(load({ ...minimal, MAIL_FROM: 'credits@example.org' }).warnings).toContain(
      'MAIL_FROM is set without OS_CREDITS_PERUN_URL: nobody knows the owners of a group, so they get no mail',
    )
  })

  test('tells that edits in Perun are written over where scrapes are closer than what was read may be old', () => {
    const at = (interval: string, maxAge: string) =>
      load({
        ...withPerun,
        API_KEY: 'key',
        OS_CREDITS_SCRAPE_INTERVAL: interval,
        OS_CREDITS_SCRAPE_TIMEOUT: '1s',
        OS_CREDITS_PERUN_MAX_AGE: maxAge,
      }).warnings
    expect(at('10s', '10s')).toEqual([])
    expect(at('9s', '10s')).toEqual([
      expect.stringMatching(/^OS_CREDITS_SCRAPE_INTERVAL is shorter than OS_CREDITS_PERUN_MAX/),
    ])
  })

  test('tells that nothing is published without Perun, and who is answered without a key', () => {
    expect(load(minimal).warnings).toEqual([
      'OS_CREDITS_PERUN_URL is not set: nothing is published',
      'API_KEY is not set: what needs a key is answered only to direct requests from this machine',
    ])
  })
})

suite('The description of the settings', () => {
  test('tells of each what holds and where it comes from', () => {
    const url = 'http://a/federate?match[]=x;http://b/'
    const env = { ...withPerun, USAGE_EXPORTER_URLS: url, OS_CREDITS_WORKERS: '3', API_KEY_FILE: 'key' }
    const description = describeSettings(load(env, { key: 'operator-key' }).settings)
    expect(Object.keys(description)).toEqual(entries.map(([name]) => name))
    expect(description).toMatchObject({
      USAGE_EXPORTER_URLS: '"http://a/federate?…;http://b/" (environment)',
      OS_CREDITS_WORKERS: '3 lanes (environment)',
      OS_CREDITS_PRECISION: '2 decimals (default)',
      OS_CREDITS_LOCATION_ID: 'not set',
      OS_CREDITS_PERUN_LOGIN: 'credits (environment)',
      OS_CREDITS_PERUN_PASSWORD: 'not shown (environment)',
      API_KEY: 'not shown (file)',
    })
  })
})
