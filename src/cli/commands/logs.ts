/** The levels of the log. */
import { type Fields, fieldsOf, show, showList } from '../answers.ts'
import type { Command } from '../command.ts'
import { write } from '../output.ts'
import { facts } from '../table.ts'

export const logsCommand: Command = {
  name: 'logs',
  operands: ['[LEVEL]', '[LOGGER]'],
  options: { for: { value: 'TIME', doc: 'only for so long, such as 10m' } },
  summary: 'show the levels of the log, or change that of all loggers or of one',
  about: 'LEVEL is trace, debug, info, warn, error, fatal, silent, or inherit for a logger that is to follow the root.',
  examples: ['logs', 'logs debug perun --for 10m', 'logs inherit perun'],
  async run(call, context) {
    const [level, logger = 'root'] = call.operands
    const time = call.text('for')
    const change = { levels: { [logger]: level }, ...(time !== undefined && { for: time }) }
    const { client } = context
    const answer = await (level === undefined ? client.get('/logconfig') : client.post('/logconfig', change))
    write(answer, context, describe)
    return undefined
  },
}

function describe({ levels, for_seconds: seconds, ignored }: Fields): string {
  const all = facts(Object.entries(fieldsOf(levels)).map(([logger, level]) => [show(logger), show(level)]))
  const time = typeof seconds === 'number' ? `For ${seconds} s, then as before.\n` : ''
  return `${all}${time}${Array.isArray(ignored) && ignored.length > 0 ? `Ignored: ${showList(ignored)}\n` : ''}`
}
