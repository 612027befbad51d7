/** How the used credits of a group grew. */
import { type Fields, fieldsOf, show } from '../answers.ts'
import { inPath } from '../client.ts'
import type { Command } from '../command.ts'
import { UnreachableError } from '../errors.ts'
import { write } from '../output.ts'
import { type Column, table } from '../table.ts'

export const historyCommand: Command = {
  name: 'history',
  operands: ['GROUP'],
  options: {
    from: { value: 'TIME', doc: 'not earlier than this: 2026-01-01 or "2026-01-01 12:00:00", in UTC' },
    to: { value: 'TIME', doc: 'not later than this' },
  },
  summary: 'how the used credits of a group grew, the newest first',
  examples: ['history bio', 'history bio --from 2026-01-01 --to 2026-02-01', 'history "Protein Folding" --json'],
  async run(call, context) {
    const path = `/api/credits_history/${inPath(call.operands[0]!)}`
    const answer = await context.client.get(path, { start_date: call.text('from'), end_date: call.text('to') })
    write(answer, context, () =>
      answer.text === '' ? 'Nothing in this time.\n' : table(columns, pointsOf(answer.text), context.terminal),
    )
    return undefined
  },
}

/** The worker answers columns, with credits as numbers: their digits are kept as they are written. */
function pointsOf(text: string): Fields[] {
  const answer = JSON.parse(text, (_key, value, { source }) => (typeof value === 'number' ? source : value))
  const { timestamps, credits, metrics } = fieldsOf(answer)
  if (!Array.isArray(timestamps) || !Array.isArray(credits) || !Array.isArray(metrics)) {
    throw new UnreachableError('The answer is no history.')
  }
  return timestamps.map((at, index) => ({ at, used: credits[index], metric: metrics[index] }))
}

const columns: readonly Column<Fields>[] = [
  { head: 'time (UTC)', value: ({ at }) => show(at) },
  { head: 'used', value: ({ used }) => show(used), align: 'right' },
  { head: 'by', value: ({ metric }) => show(metric), isElastic: true },
]
