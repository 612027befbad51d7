/** Recordings of real exporters and a real Prometheus, served one after another as they were. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { startPeer } from './peer.ts'

const fixtures = join(import.meta.dirname, '../fixtures')

export interface Recording {
  readonly name: string
  /** When it was made. */
  readonly at: number
  readonly text: string
}

/** All recordings in a folder whose names begin so, in the order in which they were made. */
export function recordings(folder: 'exporter' | 'prometheus', prefix: string): Recording[] {
  return readdirSync(join(fixtures, folder))
    .filter((name) => name.startsWith(`${prefix}__`) && /\.(prom|txt)(\.gz)?$/.test(name))
    .map((name) => ({ name, at: recordedAt(name), text: read(join(fixtures, folder, name)) }))
    .sort((a, b) => a.at - b.at)
}

function read(path: string): string {
  const bytes = readFileSync(path)
  return (path.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString()
}

/** `…__20261121T031816_666Z.prom` */
function recordedAt(name: string): number {
  const [, date, time, ms] = /(\d{8})T(\d{6})_(\d{3})Z/.exec(name)!
  const iso = `${date!.replace(/(\d{4})(\d\d)/, '$1-$2-')}T${time!.replace(/(\d\d)(\d\d)/, '$1:$2:')}.${ms}Z`
  return Date.parse(iso)
}

/** Serves one recording for each request, then the last one for ever. Its clock shows when the one to come was made. */
export async function servePlayback(list: readonly Recording[]) {
  let next = 0
  const toCome = () => list[Math.min(next, list.length - 1)]!
  const peer = await startPeer((_, response) => {
    const { text } = toCome()
    next += 1
    response.setHeader('content-type', 'text/plain; version=0.0.4; charset=utf-8').end(text)
  })
  return {
    ...peer,
    clock: { now: () => toCome().at },
    /** Whether the last recording was asked for, and answered, more than once. */
    isOver: () => next > list.length,
  }
}
