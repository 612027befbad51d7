/** The table of groups. */
import type { Instant } from '../../../core/time.ts'
import type { ForecastSummary, Forecasts } from '../../../ledger/forecasts.ts'
import type { GroupRow, LedgerReader } from '../../../ledger/ledger.ts'
import { groupJson } from '../../groupJson.ts'
import { link } from '../../route.ts'
import { type Html, type HtmlValue, html } from '../html.ts'
import { about, day, groupLink, isUsedUp, leftBar, moment, pager, type Tone, tag, timeLeft } from '../pieces.ts'
import { type Column, table } from '../table.ts'
import { addressOf, PAGE, type Query, type Sort, states } from './query.ts'
import type { Ranking } from './ranking.ts'

interface Row {
  readonly row: GroupRow
  /** The same as the API tells it. */
  readonly group: ReturnType<typeof groupJson>
  readonly forecast: ForecastSummary | typeof LATER | undefined
}

/** The forecast takes longer than somebody should wait for the page. */
const LATER = 'later'
/** For how long forecasts are waited for, in milliseconds: a page is there within 100. */
const PATIENCE = 25

export interface GroupsPart {
  readonly query: Query
  readonly rows: readonly Row[]
  readonly total: number
  /** The order that was asked for is not made yet. */
  readonly isUnordered: boolean
  readonly now: Instant
  readonly precision: number
}

export async function readGroups(
  query: Query,
  {
    ledger,
    forecasts,
    ranking,
  }: { ledger: LedgerReader; forecasts: Pick<Forecasts, 'lately' | 'made'>; ranking: Ranking },
): Promise<Pick<GroupsPart, 'query' | 'rows' | 'total' | 'isUnordered'>> {
  const { search, state, sort, isDescending, page } = query
  const isRanked = sort === 'burn' || sort === 'runs out'
  // Also for who sorts by something else: forecasts of the pages that are looked at next are made meanwhile.
  const ranked = ranking.names(isRanked ? sort : 'burn')
  const order = isRanked ? inDirection(ranked?.names ?? [], isDescending) : sort
  const found = await ledger.groupTable({
    search,
    state,
    order,
    descending: isDescending,
    limit: PAGE,
    offset: (page - 1) * PAGE,
  })
  const rows: Row[] = []
  const deadline = performance.now() + PATIENCE
  for (const row of found.rows) {
    const isPatient = performance.now() < deadline
    const forecast = isPatient ? await forecasts.lately(row) : made(forecasts, row)
    rows.push({ row, group: groupJson(row), forecast })
  }
  return { query, rows, total: found.total, isUnordered: typeof order !== 'string' && ranked === undefined }
}

/** What is not made yet is being made by the ranking, for who looks next. */
function made(forecasts: Pick<Forecasts, 'made'>, row: GroupRow): Row['forecast'] {
  const found = forecasts.made(row)
  return found === undefined ? LATER : found.summary
}

function inDirection(names: readonly string[], isDescending: boolean): readonly string[] {
  return isDescending ? names.toReversed() : names
}

export function groupsPart(part: GroupsPart): Html {
  const { query, rows, total, isUnordered } = part
  return html`<section aria-labelledby="groups">
<h2 id="groups">Groups</h2>
${searchForm(query)}
${isUnordered && html`<p class="notice warn" role="status">Forecasts of all groups are being made, so the order is not known yet. <a href="${addressOf(query)}">Load the page again</a> in a few seconds.</p>`}
${rows.length === 0 ? nothingFound(query, total) : html`${groupTable(part)}${stillMaking(part)}${pages(query, rows.length, total)}`}
</section>`
}

/** Not in the caption, which is part of the table: what can be reached there belongs to a cell. */
function stillMaking({ query, rows, isUnordered }: GroupsPart): Html | undefined {
  if (isUnordered || rows.every(({ forecast }) => forecast !== LATER)) return undefined
  return html`<p class="hint" role="status">Some forecasts are still being made. <a href="${addressOf(query)}">Load the page again</a> in a few seconds.</p>`
}

function searchForm({ search, state, sort, isDescending }: Query): Html {
  const isFiltered = search !== undefined || state !== undefined
  return html`<form method="get" action="/" role="search" class="card">
<div class="row">
<div><label for="search">Search for a name</label><input id="search" name="search" type="search" value="${search}" maxlength="1024" dir="auto"></div>
${select('state', 'State', [['', 'any'], ...states.map((each) => [each, each] as const)], state ?? '')}
${select('sort', 'Sorted by', sortNames, sort)}
${select('direction', 'Direction', directions, isDescending ? 'descending' : 'ascending')}
<button>Show</button>${isFiltered && html` <a class="button quiet" href="${addressOf({ search: undefined, state: undefined, sort, isDescending, page: 1 })}">All groups</a>`}
</div>
</form>`
}

const sortNames = [
  ['name', 'name'],
  ['used', 'used'],
  ['granted', 'granted'],
  ['left', 'left'],
  ['burn', 'burn a day'],
  ['runs out', 'days left'],
] as const satisfies readonly (readonly [Sort, string])[]

const directions = [
  ['ascending', 'ascending'],
  ['descending', 'descending'],
] as const

function select(
  name: string,
  label: string,
  options: readonly (readonly [value: string, text: string])[],
  chosen: string,
): Html {
  return html`<div class="fit"><label for="${name}">${label}</label><select id="${name}" name="${name}">${options.map(
    ([value, text]) => html`<option value="${value}"${value === chosen && html` selected`}>${text}</option>`,
  )}</select></div>`
}

function nothingFound({ search, state, page }: Query, total: number): Html {
  if (total > 0)
    return html`<p>There is no page ${page} of these ${total} groups. <a href="/#groups">To the first one</a></p>`
  if (search !== undefined || state !== undefined) return html`<p>No group is like that.</p>`
  return html`<p>There are no groups yet: they come with the first readings.</p>`
}

function groupTable({ query, rows, total, now, precision }: GroupsPart): Html {
  const sorted = (sort: Sort): NonNullable<Column<Row>['sort']> => {
    const isNow = query.sort === sort
    const isDescending = isNow ? !query.isDescending : sort === 'used' || sort === 'granted' || sort === 'burn'
    return {
      address: addressOf({ ...query, sort, isDescending, page: 1 }),
      now: isNow ? (query.isDescending ? 'descending' : 'ascending') : undefined,
    }
  }
  return table<Row>({
    caption: html`${total} group${total !== 1 && 's'}. Credits are exact; burn and days left are forecasts.`,
    columns: [
      { name: 'Group', sort: sorted('name'), cell: ({ group }) => groupLink(group.group) },
      { name: 'Used', isNumber: true, sort: sorted('used'), cell: ({ group }) => group.used },
      {
        name: 'Granted',
        isNumber: true,
        sort: sorted('granted'),
        cell: ({ group }) => group.granted ?? none('no grant'),
      },
      {
        name: 'Left',
        isNumber: true,
        sort: sorted('left'),
        cell: ({ group: { left, granted } }) => (left === null ? none('not known') : leftBar(left, granted!)),
      },
      {
        name: 'Burn a day',
        isNumber: true,
        sort: sorted('burn'),
        cell: ({ forecast }) => burn(forecast, precision),
      },
      {
        name: 'Days left',
        sort: sorted('runs out'),
        cell: ({ forecast, group }) => (isUsedUp(group.left) ? tag('bad', 'used up') : daysLeft(forecast, now)),
      },
      { name: 'State', cell: (row) => stateCell(row, now) },
    ],
    rows,
  })
}

function none(text: string): Html {
  return html`<span class="soft">${text}</span>`
}

function burn(forecast: Row['forecast'], precision: number): HtmlValue {
  if (forecast === LATER) return none('being made')
  return forecast === undefined ? none('not known yet') : about(forecast.burnPerDay, precision)
}

function daysLeft(forecast: Row['forecast'], now: Instant): Html {
  if (forecast === LATER) return none('being made')
  if (forecast === undefined) return none('not known yet')
  const { runsOut } = forecast
  switch (runsOut.kind) {
    case 'no grant':
      return none('no grant')
    case 'already':
      return html`${tag('bad', 'used up')}`
    case 'never':
      return none('not within ten years')
    case 'expected': {
      const { at, early, late } = runsOut
      const days = timeLeft(at, now)
      if (days === undefined) return overdue(at, forecast.until)
      const until = late === undefined ? html`or later` : html`to ${day(late)}`
      return html`<span class="nowrap">${days}</span><br><small class="soft nowrap">${day(early)} ${until}</small>`
    }
  }
}

function overdue(at: Instant, until: Instant): Html {
  return html`${tag('warn', 'passed')} <span class="nowrap">${day(at)}</span><br><small class="soft nowrap">not measured since ${day(until)}</small>`
}

function stateCell({ row, group }: Row, now: Instant): Html {
  const tones: Readonly<Record<typeof group.state, Tone>> = {
    held: 'bad',
    new: 'idle',
    waiting: 'warn',
    active: 'good',
  }
  return html`${tag(tones[group.state], group.state)} <br><small class="soft">${reason(row, group, now)}</small>`
}

function reason({ holds, publishedAt }: GroupRow, { group, state }: Row['group'], now: Instant): Html {
  switch (state) {
    case 'held':
      return html`<a href="${link('/holds', { group })}">${holds.join(', ')}</a>`
    case 'new':
      return html`not looked up in Perun yet`
    case 'waiting':
      return html`Perun was not told yet`
    case 'active':
      return publishedAt === undefined ? html`` : html`published ${moment(publishedAt, now)}`
  }
}

function pages(query: Query, shown: number, total: number): Html | undefined {
  if (shown === total) return undefined
  const { page } = query
  const first = (page - 1) * PAGE + 1
  const last = first + shown - 1
  return pager({
    previous: page > 1 ? addressOf({ ...query, page: page - 1 }) : undefined,
    next: last < total ? addressOf({ ...query, page: page + 1 }) : undefined,
    where: `${first} to ${last} of ${total}`,
  })
}
