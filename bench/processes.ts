/** What the system tells of a process, of this one or of another one. Only Linux tells. */
import { readFileSync } from 'node:fs'

/** Seconds of CPU that a process has taken so far; NaN where the system does not tell. */
export function cpuSecondsOf(pid: number): number {
  try {
    // The name of the program may hold blanks and brackets; what follows the last one is numbers.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ')
    return (Number(fields[11]) + Number(fields[12])) / TICKS
  } catch {
    return Number.NaN
  }
}

/** Bytes of memory that a process has now (`VmRSS`), or has had at most (`VmHWM`); NaN where the system does not tell. */
export function memoryOf(pid: number, what: 'VmRSS' | 'VmHWM'): number {
  try {
    const line = new RegExp(`^${what}:\\s+(\\d+) kB`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
    return Number(line?.[1]) * 1_024
  } catch {
    return Number.NaN
  }
}

/** Clock ticks of a second, as every Linux counts them for programs. */
const TICKS = 100
