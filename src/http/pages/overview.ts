/** `GET /`: all that operators look at every day. */
import type { Instant } from '../../core/time.ts'
import type { StoredDrift, StoredHold } from '../../ledger/ledger.ts'
import type { HttpParts } from '../parts.ts'
import type { Route } from '../route.ts'
import { driftTable, holdTable } from './holdTables.ts'
import { type Html, html } from './html.ts'
import { answerPage } from './layout.ts'
import { groupsPart, readGroups } from './overview/groups.ts'
import { alarms, readHealth, targetsPart, totals } from './overview/health.ts'
import { pushesPart } from './overview/pushes.ts'
import { readQuery } from './overview/query.ts'
import { createRanking } from './overview/ranking.ts'
import { replicasPart } from './overview/replicas.ts'
import { moment } from './pieces.ts'

/** How many of the newest holds and drifts are shown. */
const NEWEST = 5

export function overviewRoute(parts: HttpParts): Route {
  const { ledger, forecasts, clock, precision } = parts
  const ranking = createRanking(parts)
  return {
    method: 'get',
    path: '/',
    who: 'operator',
    isForPeople: true,
    summary: 'The overview page: sites, Perun, the ledger, holds, groups',
    query: {
      search: 'Only groups with this in their name',
      state: 'Only groups that are held, new, waiting or active',
      sort: 'name, used, granted, left, burn or runs out',
      direction: 'ascending or descending',
      page: 'Which page of groups',
    },
    answers: { 200: 'The page', 400: 'No such page' },
    async handle(ctx) {
      const query = readQuery(ctx)
      const [health, groups, holds, drifts, replicas] = await Promise.all([
        readHealth(parts),
        readGroups(query, { ledger, forecasts, ranking }),
        ledger.holds({ limit: NEWEST }),
        ledger.drifts({ limit: NEWEST }),
        parts.replicas?.list() ?? [],
      ])
      const now = clock.now()
      answerPage(ctx, {
        title: 'Overview',
        content: html`<h1>Overview</h1>
${alarms(parts, health)}
${totals(parts, health)}
${troublesPart(holds, drifts, now)}
${groupsPart({ ...groups, now, precision })}
${targetsPart(parts.targets(), now)}
${replicasPart(replicas, now)}
${pushesPart(parts.receivers, now)}
<p class="hint">Credits worker ${parts.version}, started ${moment(parts.startedAt, now)}.</p>`,
      })
    },
  }
}

function troublesPart(holds: readonly StoredHold[], drifts: readonly StoredDrift[], now: Instant): Html {
  return html`${
    holds.length > 0 &&
    html`<section aria-labelledby="holds"><h2 id="holds">On hold</h2>
${holdTable(holds, now, 'The newest open holds: what is not charged or published until it is resolved.')}
<p><a href="/holds">All holds</a></p></section>`
  }
${
  drifts.length > 0 &&
  html`<section aria-labelledby="drifts"><h2 id="drifts">Edited in Perun</h2>
${driftTable(drifts, now, 'The newest drifts: used credits that this worker did not write.')}
<p><a href="/drifts">All drifts</a></p></section>`
}`
}
