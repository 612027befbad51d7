/** Commands that are programs of their own on the machine of the ledger, with options and exit codes of their own. */
import { fileURLToPath } from 'node:url'
import type { Command } from '../command.ts'

const programAt = (path: string) => fileURLToPath(new URL(`../../${path}/main.ts`, import.meta.url))

type OwnProgram = Pick<Command, 'name' | 'operands' | 'summary' | 'examples'>

function passedOn(path: string, command: OwnProgram): Command {
  const program = programAt(path)
  return {
    ...command,
    options: {},
    about: `Runs another program, with options and exit codes of its own: os-credits ${command.name} --help`,
    isPassedOn: true,
    run: (call, { runProgram }) => runProgram(program, call.operands),
  }
}

export const verifyCommand = passedOn('verify', {
  name: 'verify',
  operands: ['LEDGER'],
  summary: 'check a ledger on this machine, also while the worker runs',
  examples: ['verify data/credits.db', 'verify --group bio data/credits.db'],
})

export const backupCommand = passedOn('tools/backup', {
  name: 'backup',
  operands: ['TO'],
  summary: 'back the ledger on this machine up, also while the worker runs',
  examples: ['backup backups/credits-2026-12-01.db', 'backup --force --ledger data/credits.db latest.db'],
})
