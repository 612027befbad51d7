/** When the credits of a group run out. */
import { formatCredits } from '../../core/credits.ts'
import { answerOnce } from '../conditional.ts'
import { forecastJson } from '../forecastJson.ts'
import type { HttpParts } from '../parts.ts'
import type { Route } from '../route.ts'
import { unknownGroup } from './groups.ts'

/** `GET /api/groups/:name/forecast`. */
export function forecastRoute({ ledger, forecasts }: Pick<HttpParts, 'ledger' | 'forecasts'>): Route {
  return {
    method: 'get',
    path: '/api/groups/:name/forecast',
    who: 'reader',
    summary: 'How many credits a group uses a day, when they run out, and which used credits to expect',
    answers: {
      200:
        'based_on: how many days, and the last reading; burn_per_day; runs_out: kind is expected (with at, early and late: ' +
        'in four of five cases it is between these; late is null if it may as well be never), never (early, if it may be), ' +
        'already, no grant or unknown (too little was charged yet); curve: used credits at the end of each day (UTC)',
      304: 'It is what If-None-Match names',
      404: 'No such group',
    },
    async handle(ctx) {
      const name = ctx.params.name!
      const standing = await ledger.group(name)
      if (standing === undefined) throw unknownGroup(name)
      const { used, granted } = standing
      const forecast = forecastJson(await forecasts.of(standing))
      answerOnce(
        ctx,
        JSON.stringify({ group: name, used: formatCredits(used), granted: granted ?? null, ...forecast }),
        'json',
      )
    },
  }
}
