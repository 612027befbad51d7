/** When the credits of a group run out. */
import { formatCredits } from '../../core/credits.ts'
import { answerOnce } from '../conditional.ts'
import { forecastJson } from '../forecastJson.ts'
import { formatHeaders, formatSummary, queryFormat } from '../format.ts'
import { forecastCsv } from '../groupCsv.ts'
import type { HttpParts } from '../parts.ts'
import { ledgerTrouble, type Route } from '../route.ts'
import { groupParameter } from '../schemas/common.ts'
import { forecast as forecastSchema, forecastTable } from '../schemas/forecast.ts'
import { unknownGroup } from './groups.ts'

/** `GET /api/groups/:name/forecast`. */
export function forecastRoute({ ledger, forecasts }: Pick<HttpParts, 'ledger' | 'forecasts'>): Route {
  return {
    method: 'get',
    path: '/api/groups/:name/forecast',
    who: 'reader',
    summary: 'How many credits a group uses a day, when they run out, and which used credits to expect',
    params: groupParameter,
    query: { format: formatSummary },
    answers: {
      200: {
        description: 'The forecast',
        json: forecastSchema,
        csv: forecastTable,
        headers: { ETag: formatHeaders.ETag },
      },
      304: 'It is what If-None-Match names',
      400: 'No such format',
      404: 'No such group',
      503: ledgerTrouble,
    },
    async handle(ctx) {
      const name = ctx.params.name!
      const format = queryFormat(ctx)
      const standing = await ledger.group(name)
      if (standing === undefined) throw unknownGroup(name)
      const { used, granted } = standing
      const forecast = forecastJson(await forecasts.of(standing))
      if (format === 'csv') return answerOnce(ctx, forecastCsv(forecast), 'text/csv')
      answerOnce(
        ctx,
        JSON.stringify({ group: name, used: formatCredits(used), granted: granted ?? null, ...forecast }),
        'json',
      )
    },
  }
}
