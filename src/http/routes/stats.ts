/** What the worker is doing, for operators. */
import { formatCredits } from '../../core/credits.ts'
import { formatDuration, formatInstant } from '../../core/time.ts'
import type { LedgerSummary } from '../../ledger/ledger.ts'
import type { PushStatus, Receiver } from '../../sources/source.ts'
import { catchUpJson } from '../catchUpJson.ts'
import { instantOrNull } from '../groupJson.ts'
import type { HttpParts, Publishing, Replica, Scraper, Target } from '../parts.ts'
import { ledgerTrouble, queryText, type Route } from '../route.ts'
import { text } from '../schema.ts'
import { stats } from '../schemas/worker.ts'

/** `GET /stats`: the four keys of the old service first, under their old names. */
export function statsRoute(parts: HttpParts): Route {
  return {
    method: 'get',
    path: '/stats',
    who: 'operator',
    summary: 'What the worker is doing',
    query: { verbose: text('Also each lane, the settings and the process: any value but "false"', 'true') },
    answers: { 200: { description: 'The state of the worker', json: stats }, 503: ledgerTrouble },
    async handle(ctx) {
      const verbose = queryText(ctx, 'verbose') ?? ''
      const summary = await parts.ledger.summary()
      const notifying = await notifyingJson(parts)
      const replicas = ((await parts.replicas?.list()) ?? []).map(replicaJson)
      const more = verbose === '' || verbose === 'false' ? {} : details(parts)
      ctx.body = { ...overview(parts, summary), notifying, replicas, ...more }
    },
  }
}

function overview(
  {
    workers,
    lanes,
    startedAt,
    clock,
    version,
    targets,
    targetsFile,
    receivers,
    outbox,
    writeWindow,
    catchUp,
  }: HttpParts,
  summary: LedgerSummary,
) {
  const now = clock.now()
  return {
    number_of_workers: workers,
    queue_size: lanes.waiting,
    number_of_locks: lanes.working,
    uptime: formatDuration(now - startedAt),
    version,
    now: formatInstant(now),
    started_at: formatInstant(startedAt),
    targets: targets().map(targetJson),
    targets_file: targetsFileJson(targetsFile()),
    pushes: Object.values(receivers).map(({ status }: Receiver) => pushesJson(status)),
    catching_up: catchUpJson(catchUp()),
    groups: {
      total: summary.groups,
      used: formatCredits(summary.used),
      waiting: summary.dirty,
      at_sites: summary.contacts,
    },
    ledger: { series: summary.series, entries: summary.entries, holds: summary.holds, drifts: summary.drifts },
    perun: { ...publishingJson(outbox?.status), read_to_write_seconds: windowJson(writeWindow()) },
  }
}

function details({ lanes, describeSettings }: HttpParts) {
  return {
    lanes: lanes.status(),
    settings: describeSettings(),
    memory: process.memoryUsage(),
    node: process.version,
  }
}

/** When it was last scraped here says nothing about a target that is scraped elsewhere. */
function targetJson(target: Target) {
  const isHere = target.scraper.kind === 'here'
  return {
    url: target.target,
    labels: target.labels,
    scraped: scrapedJson(target.scraper),
    up: target.up ?? null,
    last_scrape: instantOrNull(isHere ? target.lastScrape : undefined),
    last_success: instantOrNull(isHere ? target.lastSuccess : undefined),
    last_duration_ms: target.lastDuration ?? null,
    last_error: target.lastError ?? null,
    failures: target.failures,
    next_scrape: instantOrNull(target.next),
    samples: target.samples,
    readings: target.readings,
    rejected: target.rejected,
    late: target.late,
    outdated: target.outdated,
    unreadable_lines: target.errors,
  }
}

function scrapedJson(scraper: Scraper) {
  switch (scraper.kind) {
    case 'here':
      return { by: 'this worker' }
    case 'elsewhere':
      return { by: 'another worker', id: scraper.id, name: scraper.name }
    case 'nobody':
      return { by: 'nobody', reason: scraper.reason }
  }
}

function replicaJson(replica: Replica) {
  return {
    id: replica.id,
    name: replica.name,
    version: replica.version,
    since: formatInstant(replica.startedAt),
    last_seen: formatInstant(replica.seenAt),
    state: replica.state,
    answers: replica.isSelf,
    lead: replica.isLead,
    catches_up: replica.isCatchingUp,
    targets: replica.targets,
    publishing: replica.publishing,
  }
}

function targetsFileJson(status: ReturnType<HttpParts['targetsFile']>) {
  return status === undefined ? null : { ...status, since: formatInstant(status.since) }
}

function pushesJson(status: PushStatus) {
  return {
    protocol: status.protocol,
    last_push: instantOrNull(status.lastPush),
    last_success: instantOrNull(status.lastSuccess),
    last_error: status.lastError ?? null,
    taken: status.taken,
    refused: status.refused,
    samples: status.samples,
    readings: status.readings,
    rejected: status.rejected,
    stale_markers: status.staleMarkers,
    ignored: status.ignored,
    errors: status.errors,
  }
}

function publishingJson(status: Publishing | undefined) {
  if (status === undefined) return { state: 'off', reason: 'OS_CREDITS_PERUN_URL is not set.' }
  if (status.state === 'publishing') return { state: status.state }
  const { state, reason, since, until } = status
  return { state, reason, since: formatInstant(since), until: formatInstant(until) }
}

async function notifyingJson({ notifying, ledger }: HttpParts) {
  const { mail, webhooks, problems } = notifying()
  const [notices, messages] = [await ledger.noticeCounts(), await ledger.messageCounts()]
  return {
    mail: mail ? { state: 'on' } : { state: 'off', reason: 'MAIL_FROM is not set.' },
    webhooks,
    problems,
    notices,
    messages,
  }
}

function windowJson({ last, longest }: ReturnType<HttpParts['writeWindow']>) {
  return { last: last ?? null, longest: longest ?? null }
}
