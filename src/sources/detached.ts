import type { Reading } from '../core/series.ts'

/** A part of a string keeps the whole string in memory, here megabytes for a name: readings of a text get copies. */
export function detached({ series, origin, ...rest }: Reading): Reading {
  const copy = (text: string) => Buffer.from(text).toString()
  const named = { ...series, projectId: copy(series.projectId), projectName: copy(series.projectName) }
  return { series: named, ...rest, ...(origin !== undefined && { origin: copy(origin) }) }
}
