/** Looks for a seed of the simulation that fails when the program has a defect. */
import { execFile } from 'node:child_process'
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Mutant } from './mutant.ts'

const root = join(import.meta.dirname, '../../..')

/** Where processes leave each other what V8 made of the source: nearly all of it is the same for all mutants. */
const compiled = join(root, 'node_modules/.cache/simulation')

/**
 * The files of the program that a mutant changes, by their path, with their text then.
 *
 * @throws {Error} if a text that it replaces is not there exactly once.
 */
export function planted({ also, ...first }: Mutant): ReadonlyMap<string, string> {
  const files = new Map<string, string>()
  for (const { file, text, instead } of also === undefined ? [first] : [first, also]) {
    const path = join(root, 'src', file)
    const before = files.get(path) ?? readFileSync(path, 'utf8')
    const count = before.split(text).length - 1
    if (count !== 1) throw new Error(`A mutant does not fit src/${file} any more: ${text.trim()} occurs ${count} times`)
    files.set(
      path,
      before.replace(text, () => instead),
    )
  }
  return files
}

export interface Found {
  readonly seed: number
  readonly invariant: string
}

/** The first seed of a range that finds a mutant, if there is one. */
export function find({ name }: Mutant, from: number, to: number): Promise<Found | undefined> {
  mkdirSync(compiled, { recursive: true })
  const hunt = [join(import.meta.dirname, 'hunt.ts'), name, `${from}`, `${to}`]
  const options = { timeout: 900_000, env: { ...process.env, NODE_COMPILE_CACHE: compiled } }
  return new Promise((resolve, reject) => {
    execFile(process.execPath, hunt, options, (error, stdout, stderr) => {
      if (error !== null) reject(new Error(`A mutant cannot be simulated: ${stderr.slice(0, 2_000)}`, { cause: error }))
      else resolve(stdout === '' ? undefined : (JSON.parse(stdout) as Found))
    })
  })
}
