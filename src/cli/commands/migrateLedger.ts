/** Moves a ledger to another place: by a program of its own, because no worker runs meanwhile. */
import { fileURLToPath } from 'node:url'
import type { Command } from '../command.ts'

const program = fileURLToPath(new URL('../../move/main.ts', import.meta.url))

export const migrateLedgerCommand: Command = {
  name: 'migrate-ledger',
  operands: ['FROM', 'TO'],
  options: {},
  summary: 'move a ledger between SQLite and PostgreSQL, while no worker runs',
  about: 'Runs another program, with options and exit codes of its own: os-credits migrate-ledger --help',
  examples: ['migrate-ledger sqlite:data/credits.db postgres://ann@db/credits', 'migrate-ledger @old @new'],
  isPassedOn: true,
  run: (call, { runProgram }) => runProgram(program, call.operands),
}
