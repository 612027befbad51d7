/** What a group used in each hour, day or month. */
import { type Credits, formatCredits, parseCredits } from '../../core/credits.ts'
import { type Fields, listOf, show } from '../answers.ts'
import { inPath } from '../client.ts'
import type { Command, Context } from '../command.ts'
import { csvOption, wantsCsv, writeCsv, writeJson } from '../output.ts'
import { type Column, table } from '../table.ts'
import { styled } from '../terminal.ts'

export const historyCommand: Command = {
  name: 'history',
  operands: ['GROUP'],
  options: {
    from: { value: 'TIME', doc: 'later than this: 2026-01-01 or "2026-01-01 12:00", in the zone of --tz' },
    to: { value: 'TIME', doc: 'not later than this; now if not given' },
    step: { value: 'STEP', doc: 'hour, day or month; day if not given' },
    by: { value: 'WHAT', doc: 'meter or site; meter if not given' },
    tz: { value: 'ZONE', doc: 'the time zone whose hours, days and months these are, such as Europe/Berlin; else UTC' },
    ...csvOption,
  },
  summary: 'what a group used in each hour, day or month, and its total at the end of it',
  about: `Sums are exact. Without --from it begins with the first entry. Credits that were added by adjustments, or were used
before charging began, stand in a column of their own.`,
  examples: [
    'history bio --from 2026-01-01 --to 2026-02-01',
    'history bio --step month --by site --tz Europe/Berlin',
    'history "Protein Folding" --step hour --from 2026-01-31 --csv',
  ],
  async run(call, context) {
    const path = `/api/groups/${inPath(call.operands[0]!)}/history`
    const asked = ['from', 'to', 'step', 'by', 'tz'].map((name) => [name, call.text(name)] as const)
    const query = Object.fromEntries(asked)
    if (wantsCsv(call, context)) await writeCsv(path, query, context)
    else await writeHistory(path, query, context)
    return undefined
  },
}

async function writeHistory(
  path: string,
  query: Readonly<Record<string, string | undefined>>,
  { client, terminal, wantsJson }: Context,
): Promise<void> {
  const buckets: Fields[] = []
  let answer: Fields = {}
  for await (const { text, fields } of client.pages(path, query)) {
    if (wantsJson) writeJson(text, terminal)
    answer = fields
    buckets.push(...listOf(fields, 'buckets'))
  }
  if (wantsJson) return
  const { group, used, granted } = answer
  terminal.out(
    `${styled(show(group), 'bold', terminal)} has used ${show(used)} of ${show(granted)} granted credits\n\n`,
  )
  terminal.out(table(columnsOf(buckets, answer), buckets, terminal))
}

function columnsOf(buckets: readonly Fields[], { step, by, tz }: Fields): Column<Fields>[] {
  const parts = buckets.flatMap((bucket) => listOf(bucket, 'parts'))
  const names = [...new Set(parts.filter(isCharge).map((part) => nameOf(part)))]
  const hasOthers = parts.some((part) => !isCharge(part) && part.credits !== '0')
  return [
    { head: `${show(step)} (${show(tz)})`, value: ({ start }) => bucketName(show(start), step) },
    ...names.map(
      (name): Column<Fields> => ({
        head: by === 'site' ? `site ${name}` : name,
        value: (bucket) => creditsOf(bucket, (part) => isCharge(part) && nameOf(part) === name),
        align: 'right',
        isExtra: true,
      }),
    ),
    ...(hasOthers ? [others] : []),
    { head: 'credits', value: ({ credits }) => show(credits), align: 'right' },
    { head: 'used in all', value: ({ used }) => show(used), align: 'right' },
  ]
}

const others: Column<Fields> = {
  head: 'adjustments',
  value: (bucket) => creditsOf(bucket, (part) => !isCharge(part)),
  align: 'right',
}

function isCharge({ kind }: Fields): boolean {
  return kind === 'charge'
}

function nameOf({ meter, metric, site }: Fields): string {
  return show(meter ?? metric ?? site)
}

/** The sum of some parts of a bucket; `–` if there are none. */
function creditsOf(bucket: Fields, isWanted: (part: Fields) => boolean): string {
  const amounts = listOf(bucket, 'parts').filter(isWanted).map(amountOf)
  if (amounts.length === 0) return '–'
  return formatCredits(amounts.reduce((sum, amount) => sum + amount, 0n))
}

function amountOf({ credits }: Fields): Credits {
  return typeof credits === 'string' ? parseCredits(credits) : 0n
}

/** `2026-01-31`, `2026-01` or `2026-01-31 13:00`: the offset is said where an hour may come twice, or it is cut. */
function bucketName(start: string, step: unknown): string {
  const [, month, day, time, offset] = /^(\d{4}-\d\d)(-\d\d)T(\d\d:\d\d):00(?:\.000)?(.*)$/.exec(start) ?? []
  if (month === undefined) return start
  if (step === 'month' && day === '-01' && time === '00:00') return month
  if (step !== 'hour' && time === '00:00') return `${month}${day}`
  return `${month}${day} ${time}${offset === 'Z' ? '' : ` ${offset}`}`
}
