/** What answers of any size and shape take of memory, measured in a process of its own. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { expect, suite, test } from 'vitest'
import { startPeer } from '../../helpers/peer.ts'

const MEBIBYTE = 2 ** 20

interface Came {
  readonly reason?: string
  readonly readings?: number
  readonly unreadable?: number
  /** The most memory that the process had, in MiB. */
  readonly peak: number
}

interface Body {
  readonly piece: string | Buffer | ((time: number) => string)
  readonly times: number
  readonly encoding?: string
}

/** Scrapes an answer that consists of the same piece again and again. */
async function scraped({ piece, times, encoding }: Body): Promise<Came> {
  await using peer = await startPeer(async (_, response) => {
    response.writeHead(200, {
      'content-type': 'text/plain',
      ...(encoding !== undefined && { 'content-encoding': encoding }),
    })
    for (let time = 0; time < times && !response.destroyed; time += 1)
      await new Promise((resolve) => response.write(typeof piece === 'function' ? piece(time) : piece, resolve))
    response.end('\n')
  })
  const program = join(import.meta.dirname, 'peak.ts')
  const { stdout } = await promisify(execFile)(process.execPath, [program, peer.url])
  return JSON.parse(stdout) as Came
}

const sample = (labels: string) => `project_vcpu_usage{project_name="p",${labels}} 1\n`
const projects = (first: number, count: number) =>
  Array.from({ length: count }, (_, index) => {
    const project = `project-${first + index}`
    return `project_vcpu_usage{domain_id="default",domain_name="Default",instance="exporter.example:8080",location="site",location_id="8676",project_id="${'0'.repeat(32)}${first + index}",project_name="${project}"} ${first + index}.123456789e+03\n`
  }).join('')

const label = `${'x'.repeat(5)}="",`

suite('memory stays bounded', () => {
  test.each<[string, Body, Omit<Came, 'peak'>]>([
    [
      'for 16 GiB that are compressed to some megabytes',
      { piece: gzipSync(Buffer.alloc(64 * MEBIBYTE, '#\n')), times: 256, encoding: 'gzip' },
      { reason: 'too large' },
    ],
    ['for 1 GiB without a line feed', { piece: 'x'.repeat(MEBIBYTE), times: 1_024 }, { reason: 'too large' }],
    ['for 60 MiB without a line feed', { piece: 'x'.repeat(MEBIBYTE), times: 60 }, { readings: 0 }],
    ['for 60 MiB of junk', { piece: '{"[}\\\n'.repeat(170_000), times: 60 }, { readings: 0, unreadable: 10_200_000 }],
    [
      'for 60 MiB of labels on one line',
      { piece: `project_vcpu_usage{${label.repeat(MEBIBYTE / 9)}`, times: 60 },
      { readings: 0, unreadable: 1 },
    ],
    [
      'for long names of which each is refused',
      { piece: sample(`project_id="${'y'.repeat(10_000)}"`).repeat(100), times: 60 },
      { readings: 0, unreadable: 0 },
    ],
    [
      'for as many projects as an answer can hold',
      { piece: (time) => projects(time * 4_000, 4_000), times: 60 },
      { readings: 240_000, unreadable: 0 },
    ],
    [
      'for a million short samples',
      { piece: 'project_vcpu_usage{project_name="a"} 1\n'.repeat(10_000), times: 100 },
      { reason: 'too large' },
    ],
  ])('%s', { timeout: 120_000 }, async (_, body, expected) => {
    const came = await scraped(body)
    expect(came).toMatchObject(expected)
    expect(came.peak).toBeLessThan(600)
  })
})
