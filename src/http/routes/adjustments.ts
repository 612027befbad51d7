/** Adjustments that people make. */
import { type Credits, formatCredits, LARGEST_AMOUNT, LARGEST_TOTAL, wholeMicros } from '../../core/credits.ts'
import { isZero, parseDecimal, zero } from '../../core/decimals.ts'
import { Refusal } from '../../ledger/corrections.ts'
import { TotalTooLargeError } from '../../ledger/ledger.ts'
import { fieldsOf, readText, readWhy } from '../asking.ts'
import { BadRequestError, ConflictError } from '../errors.ts'
import { entryJson } from '../groupJson.ts'
import { describe, readJson } from '../json.ts'
import type { HttpParts } from '../parts.ts'
import { ledgerTrouble, type Route } from '../route.ts'
import { groupParameter } from '../schemas/common.ts'
import { adjusted, adjustmentRequest } from '../schemas/entries.ts'
import { unknownGroup } from './groups.ts'

/** `POST /api/groups/:name/adjustments`: changes the total of a group by an entry of its own. */
export function adjustRoute({ corrections, meters }: Pick<HttpParts, 'corrections' | 'meters'>): Route {
  return {
    method: 'post',
    path: '/api/groups/:name/adjustments',
    who: 'operator',
    summary: 'Charges a group or gives it back, with a reason; no entry is changed',
    params: groupParameter,
    body: adjustmentRequest,
    answers: {
      200: { description: 'The adjustment of this id, recorded before', json: adjusted },
      201: { description: 'The adjustment and the new total', json: adjusted },
      400: 'No amount or no reason is given',
      404: 'There is no such group',
      409: 'It would make the total negative, corrects an entry of another group, or its id means something else',
      503: ledgerTrouble,
    },
    async handle(ctx) {
      const group = ctx.params.name!
      const request = readAdjustment(await readJson(ctx))
      const done = await corrections.adjust({ group, ...request }).catch(asConflict)
      if (done === undefined) throw unknownGroup(group)
      ctx.status = done.wasKnown ? 200 : 201
      ctx.body = { group, used: formatCredits(done.used), entry: entryJson(done.entry, meters) }
    },
  }
}

/** What cannot be done as things stand is a conflict. */
export function asConflict(error: unknown): never {
  if (error instanceof Refusal || error instanceof TotalTooLargeError) throw new ConflictError(error.message)
  throw error
}

function readAdjustment(body: unknown) {
  const given = fieldsOf(body, ['amount', 'reason', 'actor', 'corrects', 'id'])
  const { amount, corrects, id } = given
  return {
    amount: readAmount(amount),
    ...readWhy(given),
    ...(corrects !== undefined && { corrects: readNumber(corrects) }),
    ...(id !== undefined && { id: readText(given, 'id') }),
  }
}

function readAmount(value: unknown): Credits {
  const number = typeof value === 'string' ? parseDecimal(value) : undefined
  const micros = number === undefined ? undefined : wholeMicros(number, zero)
  if (micros !== undefined && isZero(micros.carry) && micros.amount !== 0n) {
    const size = micros.amount < 0n ? -micros.amount : micros.amount
    // Below that it depends on the group's total.
    if (size <= LARGEST_AMOUNT) return micros.amount
    throw new BadRequestError(
      `amount: expected at most ${formatCredits(LARGEST_TOTAL)} credits, the largest total of a group, got ${describe(value)}.`,
    )
  }
  const expected = 'credits with at most 6 decimals, not 0, such as "-12.5"'
  throw new BadRequestError(`amount: expected ${expected}, got ${describe(value)}.`)
}

function readNumber(value: unknown): number {
  if (typeof value === 'string' && /^[1-9]\d{0,14}$/.test(value)) return Number(value)
  throw new BadRequestError(`corrects: expected the number of an entry, got ${describe(value)}.`)
}
