import { readFileSync } from 'node:fs'
import { type Declaration, entries } from '#src/config/declarations.ts'

/** A setting as a document has to show it: its name, what it means, and what holds by default. */
export interface DocumentedSetting {
  readonly name: string
  readonly doc: string
  readonly fallback: string | undefined
}

/** The settings in the order of the list in code. */
export function documentedSettings(): DocumentedSetting[] {
  return entries.map(([name, { doc, fallback }]: readonly [string, Declaration]) => ({ name, doc, fallback }))
}

/** What an environment file documents: comment lines, then `NAME=value`, or `# NAME=` for a setting that is not set. */
export function settingsInEnvironmentFile(path: string): DocumentedSetting[] {
  const paragraphs = readFileSync(path, 'utf8').trim().split('\n\n')
  const settings = paragraphs.map((paragraph) => {
    const match = /^((?:# .*\n)*)(# )?([A-Z0-9_]+)=(.*)$/.exec(paragraph)
    if (match === null) return undefined
    const [, comment = '', isOff, name = '', value = ''] = match
    const doc = comment.replace(/^# /gm, '').trim().replaceAll('\n', ' ')
    return { name, doc, fallback: isOff === undefined ? value : undefined }
  })
  return settings.filter((setting) => setting !== undefined)
}
