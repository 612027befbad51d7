/** The worker itself: how it does, and what it logs. */

import { INHERIT, levelNames, loggerNames } from '../../telemetry/logger.ts'
import { OLD_KEYS } from '../logChange.ts'
import {
  decimal,
  fields,
  flag,
  instant,
  list,
  mapOf,
  named,
  nullable,
  number,
  oneOf,
  type Schema,
  text,
  whole,
  word,
} from '../schema.ts'
import { groupName } from './common.ts'
import { contact, holdKind } from './groups.ts'
import { channel, messageState, noticeState } from './notices.ts'
import { pushes } from './pushes.ts'

export const pong = text('Pong', 'Pong', { const: 'Pong' })
export const alive = fields({ alive: flag('It lives') })
export const ready = fields({ ready: flag('It does', true) })
export const notReady = fields({
  ready: flag('It does not', false),
  reasons: list(text('A sentence', 'No scrape has worked yet.'), { minItems: 1 }),
})
export const prometheusText = text(
  'Metrics in the text format of Prometheus',
  '# HELP os_credits_holds Open holds\n# TYPE os_credits_holds gauge\nos_credits_holds{kind="site jump"} 1\n',
)

const count = (description: string, example = 0): Schema => whole(description, example, { minimum: 0 })
/** Only those that there are. */
const counts = (kind: Schema, example: string): Schema => ({
  type: 'object',
  propertyNames: { enum: kind.enum },
  additionalProperties: count('How many'),
  examples: [{ [example]: 1 }],
})

const replicaName = text('Its host and its process', 'worker-1/7')

const scraped = oneOf({
  here: fields({ by: word('The one that answers', ['this worker']) }),
  elsewhere: fields({
    by: word('Another one that shares the ledger: how the target stands is only known there', ['another worker']),
    id: count('Its number', 2),
    name: replicaName,
  }),
  nobody: fields({
    by: word('Nobody', ['nobody']),
    reason: text('Why', 'Nobody has claimed it yet.'),
  }),
})

const target = named(
  'Target',
  fields({
    url: text('Its address without login and query', 'http://exporter.example/metrics'),
    labels: mapOf(text('The value of a label', '8676'), 'location_id', 'Labels of all its samples'),
    scraped,
    up: nullable(flag('Whether the last scrape worked; null before the first one, and if it is scraped elsewhere')),
    last_scrape: nullable(instant('When it was last asked')),
    last_success: nullable(instant('When that last worked')),
    last_duration_ms: nullable(number('How long the last scrape that worked took', 12)),
    last_error: nullable(text('Why the last scrape failed', 'No answer: connect ECONNREFUSED')),
    failures: count('Scrapes that failed since the last that worked'),
    next_scrape: nullable(instant('When it is asked next')),
    samples: count('Lines that it showed', 40),
    readings: count('Those that can be charged', 2),
    rejected: mapOf(count('How many', 38), 'unlisted', 'Samples that were dropped, by reason'),
    late: count('Readings that came up to an hour after later ones were charged, and add nothing to that'),
    outdated: count('Readings that came even later, and were dropped'),
    unreadable_lines: list(
      fields({
        line: count('Its number', 3),
        column: count('Where', 7),
        message: text('Why', 'value: expected a number of zero or more, got "NaN"'),
      }),
      { description: 'The first lines that do not parse, or whose sample cannot be used, and why' },
    ),
  }),
)

const targetsFile = fields(
  {
    path: text('Where it is', '/config/targets.yaml'),
    problems: list(text('What is wrong with it', '[0].targets: expected a list with at least one entry, got nothing'), {
      description: 'As long as there are any, the targets stay as they were',
    }),
    since: instant('Since when it is as it is'),
  },
  {},
  { description: 'The file of targets; null if there is none' },
)

const window = {
  read_to_write_seconds: fields(
    { last: nullable(number('The last time', 0.4)), longest: nullable(number('At most since the start', 2.1)) },
    {},
    { description: 'How long before a write what it replaces was read' },
  ),
}
const pause = {
  reason: text('Why', 'Perun does not answer.'),
  since: instant('Since when'),
  until: instant('Until when'),
}

const perun = oneOf({
  publishing: fields({ state: word('Groups are published', ['publishing']), ...window }),
  paused: fields({ state: word('Perun does not answer, or refuses us', ['waiting', 'stopped']), ...pause, ...window }),
  off: fields({
    state: word('Nothing is published', ['off']),
    reason: text('Why', 'OS_CREDITS_PERUN_URL is not set.'),
    ...window,
  }),
})

const catchingUp = oneOf({
  off: fields({ state: word('It is not done', ['off']), reason: text('Why', 'PROMETHEUS_URL is not set.') }),
  waiting: fields({
    state: word('Something does not answer', ['waiting']),
    reason: text('Why', 'Prometheus does not answer: connect ECONNREFUSED'),
    since: instant('Since when'),
    sites: list(text('A site that is not charged before that', '8676')),
  }),
  reading: fields({
    state: word('Readings of the past are read', ['reading']),
    percent: count('How much of the time is done', 42),
    after: instant('From when on'),
    up_to: instant('Until when'),
    at: instant('All until then is recorded'),
    readings: count('So many so far', 12_000),
  }),
  done: fields({ state: word('Nothing is missing', ['done']), readings: count('So many were read', 24_000) }),
  'given up': fields({
    state: word('The gap stays', ['given up']),
    reason: text('Why', 'Prometheus does not answer: connect ECONNREFUSED'),
    readings: count('So many were read'),
  }),
})

const notifying = fields(
  {
    mail: oneOf({
      on: fields({ state: word('It is sent', ['on']) }),
      off: fields({ state: word('It is not', ['off']), reason: text('Why', 'MAIL_FROM is not set.') }),
    }),
    webhooks: count('How many there are', 1),
    problems: mapOf(text('What did not work', 'No answer'), 'mail', 'What did not work the last time'),
    notices: counts(noticeState, 'sent'),
    messages: {
      type: 'object',
      propertyNames: { enum: channel.enum },
      additionalProperties: counts(messageState, 'sent'),
      examples: [{ mail: { sent: 1 } }],
    },
  },
  {},
  { description: 'How people are told of their credits' },
)

const replica = named(
  'Replica',
  fields({
    id: count('Its number, which is never used twice', 1),
    name: replicaName,
    version: text('The version of the worker', '0.1.0'),
    since: instant('Since when it is one of them', '2026-01-29T09:00:00.000Z'),
    last_seen: instant('When it last said that it is there'),
    state: word('Whether it is there, or its work is about to be given to others', ['working', 'gone']),
    answers: flag('Whether it is the one that gave this answer', true),
    lead: flag('Whether it does what only one may do: it tells people, and looks for edits in Perun', true),
    catches_up: flag('Whether it reads what was missed', false),
    targets: list(text('The address of a target that it scrapes', 'http://exporter.example/metrics'), {
      description: 'Of those that the worker that answers knows',
    }),
    publishing: list(groupName, { description: 'The groups that it publishes just now' }),
  }),
)

const memory = fields(
  {
    rss: count('All of the process', 120_000_000),
    heapTotal: count('Taken for objects', 40_000_000),
    heapUsed: count('Used by objects', 30_000_000),
    external: count('Used by buffers', 4_000_000),
    arrayBuffers: count('Used by buffers of ours', 1_000_000),
  },
  {},
  { description: 'In bytes' },
)

export const stats = fields(
  {
    number_of_workers: count('How many groups are worked on at the same time, at most', 10),
    queue_size: count('Groups that wait to be published'),
    number_of_locks: count('Groups that are worked on'),
    uptime: text('How long it runs', '2 days, 3:00:00'),
    version: text('The version of the worker', '0.1.0'),
    now: instant('The time of its clock'),
    started_at: instant('When it began', '2026-01-29T09:00:00.000Z'),
    targets: list(target),
    targets_file: nullable(targetsFile),
    pushes: list(pushes),
    catching_up: catchingUp,
    groups: fields({
      total: count('All of them', 1),
      used: decimal('The sum of their used credits', '25.5'),
      waiting: count('To be published'),
      at_sites: counts(contact, 'active'),
    }),
    ledger: fields({
      series: count('All of them', 2),
      entries: count('All of them', 12),
      holds: counts(holdKind, 'site jump'),
      drifts: count('All of them'),
    }),
    perun,
    notifying,
    replicas: list(replica, { description: 'The workers that share the ledger; none if it cannot be shared' }),
  },
  {
    lanes: list(
      fields({
        group: groupName,
        state: word('What its lane does', ['waiting', 'working']),
        again: flag('Whether it was asked for again meanwhile', false),
      }),
    ),
    settings: mapOf(text('As it may be shown', '60s'), 'OS_CREDITS_SCRAPE_INTERVAL', 'Every setting'),
    memory,
    node: text('The version of Node', 'v26.10.0'),
  },
)

const level = word('From this level on it logs', ['info', ...levelNames.filter((name) => name !== 'info')])
const loggers = ['root', ...loggerNames]
const levels = fields(Object.fromEntries(loggers.map((name) => [name, level])), {}, { description: 'Of each logger' })

export const logLevels = fields({ levels, known_levels: list(word('A level', levelNames)) })

export const changedLogLevels = fields({
  levels,
  for_seconds: nullable(number('For how long; null: until they are changed again', 600)),
  ignored: list(text('What of the body has no meaning here', 'handlers'), { examples: [[]] }),
})

const given = text('A level, or `inherit`: that of the root. Levels of Python are understood', 'debug')
const forTime = {
  for: {
    type: ['string', 'number'],
    description: 'From 1s to 24h, or seconds; for good if not given',
    examples: ['10m'],
  },
}
const python = {
  type: 'object',
  properties: { level: { ...given, type: ['string', 'integer'], examples: ['DEBUG'] } },
  description: `Its level; anything else in it is ignored`,
}

export const logChange = oneOf({
  'some loggers': fields(
    { levels: { ...mapOf(given, 'perun', `${loggers.join(', ')}, or a name of the old service`), minProperties: 1 } },
    forTime,
  ),
  'one logger': fields({ logger: text('Its name', 'perun'), level: { ...given, examples: [INHERIT] } }, forTime),
  'as the old service took it': fields(
    {},
    {
      version: { enum: [1, '1'] },
      root: python,
      loggers: { type: 'object', additionalProperties: python },
      ...Object.fromEntries(OLD_KEYS.map((name) => [name, { description: 'Ignored' }])),
      ...forTime,
    },
    { examples: [{ version: 1, loggers: { 'os_credits.requests': { level: 'DEBUG' } } }] },
  ),
})
