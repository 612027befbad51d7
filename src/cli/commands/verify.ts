/** Checks a ledger: by the program that shares no code with the worker. */
import { fileURLToPath } from 'node:url'
import type { Command } from '../command.ts'

const program = fileURLToPath(new URL('../../verify/main.ts', import.meta.url))

export const verifyCommand: Command = {
  name: 'verify',
  operands: ['LEDGER'],
  options: {},
  summary: 'check a ledger on this machine, also while the worker runs',
  about: 'Runs another program, with options and exit codes of its own: os-credits verify --help',
  examples: ['verify data/credits.db', 'verify --group bio data/credits.db'],
  isPassedOn: true,
  run: (call, { runProgram }) => runProgram(program, call.operands),
}
