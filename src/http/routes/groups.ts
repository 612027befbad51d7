/** Groups and what the ledger says about them. */

import { UTC } from '../../core/buckets.ts'
import { inPath } from '../../core/groupPath.ts'
import { answerOnce } from '../conditional.ts'
import { BadRequestError, NotFoundError } from '../errors.ts'
import { formatHeaders, formatSummary, linkNext, queryFormat } from '../format.ts'
import { entriesCsv, groupsCsv } from '../groupCsv.ts'
import { entryJson, groupJson, holdJson, noteJson, seriesJson } from '../groupJson.ts'
import type { HttpParts } from '../parts.ts'
import { queryInstant } from '../period.ts'
import {
  type Asked,
  afterSummary,
  beforeSummary,
  cutPage,
  ledgerTrouble,
  limitSummary,
  link,
  queryLimit,
  queryNumber,
  queryText,
  type Route,
} from '../route.ts'
import { text } from '../schema.ts'
import { groupParameter } from '../schemas/common.ts'
import { entriesPage, entriesTable } from '../schemas/entries.ts'
import { groupsPage, groupsTable, groupWithDetails } from '../schemas/groups.ts'
import { givenInstant } from '../schemas/history.ts'

/** How many of the newest notes and holds come with a group. */
const NOTES = 20
const HOLDS = 100

/** `GET /api/groups`, by name. */
export function groupsRoute({ ledger }: Pick<HttpParts, 'ledger'>): Route {
  return {
    method: 'get',
    path: '/api/groups',
    who: 'reader',
    summary: 'The groups that are charged',
    query: {
      search: text('Only groups with this in their name, in capitals or not', 'bio'),
      after: afterSummary,
      limit: limitSummary,
      format: formatSummary,
    },
    answers: {
      200: { description: 'A page of groups, by name', json: groupsPage, csv: groupsTable, headers: formatHeaders },
      304: 'It is what If-None-Match names',
      400: 'No such page or format',
      503: ledgerTrouble,
    },
    async handle(ctx) {
      const [search, after, limit] = [queryText(ctx, 'search'), queryText(ctx, 'after'), queryLimit(ctx)]
      const format = queryFormat(ctx)
      const wanted = { ...(search !== undefined && { search }), ...(after !== undefined && { after }) }
      const { rows, total } = await ledger.groups({ ...wanted, limit: limit + 1 })
      const { page, last } = cutPage(rows, limit)
      const next =
        last === undefined ? null : link('/api/groups', { search, format: asked(ctx), after: last.group, limit })
      linkNext(ctx, next)
      const groups = page.map(groupJson)
      if (format === 'csv') return answerOnce(ctx, groupsCsv(groups), 'text/csv')
      answerOnce(ctx, JSON.stringify({ groups, total, next }), 'json')
    },
  }
}

/** `GET /api/groups/:name`: a group with its series, newest notes and open holds. */
export function groupRoute({ ledger }: Pick<HttpParts, 'ledger'>): Route {
  return {
    method: 'get',
    path: '/api/groups/:name',
    who: 'reader',
    summary: 'A group, with its series, newest notes and open holds',
    params: groupParameter,
    answers: {
      200: { description: 'The group', json: groupWithDetails, headers: { ETag: formatHeaders.ETag } },
      304: 'It is what If-None-Match names',
      404: 'There is no such group',
      503: ledgerTrouble,
    },
    async handle(ctx) {
      const name = ctx.params.name!
      const group = await ledger.group(name)
      if (group === undefined) throw unknownGroup(name)
      const [notes, holds] = await Promise.all([ledger.notes(name, NOTES), ledger.holds({ group: name, limit: HOLDS })])
      const details = {
        series: group.series.map(seriesJson),
        notes: notes.map(noteJson),
        open_holds: holds.map(holdJson),
      }
      answerOnce(ctx, JSON.stringify({ ...groupJson(group), ...details }), 'json')
    },
  }
}

/** `GET /api/groups/:name/entries`, newest first. */
export function entriesRoute({ ledger, meters }: Pick<HttpParts, 'ledger' | 'meters'>): Route {
  return {
    method: 'get',
    path: '/api/groups/:name/entries',
    who: 'reader',
    summary: 'The entries of a group, newest first',
    params: groupParameter,
    query: {
      from: givenInstant('Only entries that belong to a later instant', '2026-01-01'),
      to: givenInstant('Only entries that do not belong to a later instant', '2026-01-31T12:00:00Z'),
      before: beforeSummary,
      limit: limitSummary,
      format: formatSummary,
    },
    answers: {
      200: { description: 'A page of entries', json: entriesPage, csv: entriesTable, headers: formatHeaders },
      304: 'It is what If-None-Match names',
      400: 'No such page, period or format',
      404: 'No such group',
      503: ledgerTrouble,
    },
    async handle(ctx) {
      const name = ctx.params.name!
      const [after, upTo] = [queryInstant(ctx, 'from', UTC), queryInstant(ctx, 'to', UTC)]
      const before = queryNumber(ctx, 'before', { min: 1, max: Number.MAX_SAFE_INTEGER })
      const [limit, format] = [queryLimit(ctx), queryFormat(ctx)]
      if (after !== undefined && upTo !== undefined && upTo <= after)
        throw new BadRequestError('to: expected a time after from.')
      const period = { ...(after !== undefined && { after }), ...(upTo !== undefined && { upTo }) }
      const wanted = { ...period, ...(before !== undefined && { before }) }
      const rows = await ledger.entries(name, { ...wanted, limit: limit + 1 })
      if (rows.length === 0 && (await ledger.group(name)) === undefined) throw unknownGroup(name)
      const { page, last } = cutPage(rows, limit)
      const path = `/api/groups/${inPath(name)}/entries`
      const question = { from: queryText(ctx, 'from'), to: queryText(ctx, 'to'), format: asked(ctx) }
      const next = last === undefined ? null : link(path, { ...question, before: last.number, limit })
      linkNext(ctx, next)
      const items = page.map((entry) => entryJson(entry, meters))
      if (format === 'csv') return answerOnce(ctx, entriesCsv(items), 'text/csv')
      answerOnce(ctx, JSON.stringify({ items, next }), 'json')
    },
  }
}

/** The format that the next page is to have: whoever asks by Accept asks again by it. */
function asked(ctx: Asked): string | undefined {
  return queryText(ctx, 'format')
}

export function unknownGroup(name: string): NotFoundError {
  return new NotFoundError(`There is no group ${JSON.stringify(name)}.`)
}
