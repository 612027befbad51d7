/** A copy of the program in which one text is replaced, and a simulation of it. */
import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Mutant, Replacement } from './list.ts'

const root = join(import.meta.dirname, '../../..')

/** The text of a file with the replacement. @throws {Error} if the text is not there exactly once. */
export function mutated({ file, text, instead }: Replacement, folder = root): string {
  const before = readFileSync(join(folder, 'src', file), 'utf8')
  const count = before.split(text).length - 1
  if (count !== 1) throw new Error(`A mutant does not fit src/${file} any more: ${text.trim()} occurs ${count} times`)
  return before.replace(text, () => instead)
}

export function replacementsOf(mutant: Mutant): Replacement[] {
  return mutant.also === undefined ? [mutant] : [mutant, mutant.also]
}

export interface Found {
  readonly seed: number
  readonly invariant: string
}

/** The first seed of a range that finds a mutant, if there is one. */
export async function find(mutant: Mutant, from: number, to: number): Promise<Found | undefined> {
  const folder = mkdtempSync(join(tmpdir(), 'mutant-'))
  try {
    for (const path of ['src', 'test/simulation', 'test/helpers']) {
      mkdirSync(join(folder, path), { recursive: true })
      cpSync(join(root, path), join(folder, path), { recursive: true })
    }
    cpSync(join(root, 'package.json'), join(folder, 'package.json'))
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
    for (const each of replacementsOf(mutant)) writeFileSync(join(folder, 'src', each.file), mutated(each, folder))
    return await firstFailure(folder, from, to)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function firstFailure(folder: string, from: number, to: number): Promise<Found | undefined> {
  const script = join(folder, 'test/simulation/mutants/hunt.ts')
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [script, `${from}`, `${to}`], { timeout: 600_000 }, (error, stdout, stderr) => {
      if (error !== null) reject(new Error(`A mutant cannot be simulated: ${stderr.slice(0, 2_000)}`, { cause: error }))
      else resolve(stdout === '' ? undefined : (JSON.parse(stdout) as Found))
    })
  })
}
