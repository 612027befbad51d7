/** The streams of a process as what a program writes on. */
import type { Paper } from './program.ts'

export function paper({ stdout, stderr, env }: Pick<NodeJS.Process, 'stdout' | 'stderr' | 'env'>): Paper {
  return {
    out: (text) => void stdout.write(text),
    err: (text) => void stderr.write(text),
    width: stdout.isTTY ? stdout.columns : Number.POSITIVE_INFINITY,
    hasColours: stdout.isTTY === true && stdout.hasColors(16, env),
    isTerminal: stderr.isTTY === true,
  }
}
