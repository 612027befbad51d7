/** Groups, entries and forecasts as comma-separated values: the same texts as in JSON, and nothing where JSON has null. */
import { csv } from './csv.ts'
import type { forecastJson } from './forecastJson.ts'
import type { entryJson, groupJson } from './groupJson.ts'

export const groupColumns = [
  'group',
  'state',
  'used',
  'granted',
  'left',
  'published',
  'published_at',
  'last_reading_at',
  'muted',
  'holds',
  'sites',
] as const

export function groupsCsv(groups: readonly ReturnType<typeof groupJson>[]): string {
  const rows = groups.map((group) => {
    const sites = group.sites.map(({ site, contact }) => `${site} ${contact}`)
    return rowOf(groupColumns, { ...group, holds: group.holds.join('; '), sites: sites.join('; ') })
  })
  return csv([groupColumns, ...rows])
}

/** Without hashes: what is checked by programs is JSON, and a hash may begin like a formula (`csv.ts`). */
export const entryColumns = [
  'number',
  'kind',
  'at',
  'site',
  'meter',
  'metric',
  'project_id',
  'from',
  'from_value',
  'to',
  'to_value',
  'consumption',
  'unit',
  'price',
  'price_version',
  'carry_in',
  'carry_out',
  'amount',
  'reason',
  'actor',
  'corrects_first',
  'corrects_last',
  'id',
] as const

export function entriesCsv(entries: readonly ReturnType<typeof entryJson>[]): string {
  const rows = entries.map((entry) => {
    if ('from' in entry) {
      const { from, to } = entry
      const points = { from: from.at, from_value: from.value, to: to.at, to_value: to.value }
      return rowOf(entryColumns, { ...entry, ...points })
    }
    const { corrects } = entry
    return rowOf(entryColumns, {
      ...entry,
      ...(corrects !== null && { corrects_first: corrects.first, corrects_last: corrects.last }),
    })
  })
  return csv([entryColumns, ...rows])
}

export const forecastColumns = ['at', 'low', 'expected', 'high'] as const

/** Only the curve: it is the part that is a table. */
export function forecastCsv({ curve }: ReturnType<typeof forecastJson>): string {
  return csv([forecastColumns, ...curve.map((point) => rowOf(forecastColumns, point))])
}

function rowOf(columns: readonly string[], fields: Readonly<Record<string, unknown>>): string[] {
  return columns.map((name) => String(fields[name] ?? ''))
}
