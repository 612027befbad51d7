/**
 * Asks for `/ping` every 5 ms in a process of its own, whatever became of the requests before: `node bench/pinger.ts <url>`. Told
 * `report`, it sends what it measured since the last report: milliseconds, ascending, and how many
 * requests were not answered.
 */
import { Agent, get } from 'node:http'

const EVERY = 5

const url = new URL('/ping', process.argv[2])
const agent = new Agent({ keepAlive: true, maxSockets: 256 })
let [measured, failed]: [number[], number] = [[], 0]
let next = performance.now()

function ask(): void {
  const begun = performance.now()
  get(url, { agent }, (response) => {
    response.resume()
    response.once('end', () => measured.push(performance.now() - begun))
  }).once('error', () => {
    failed += 1
  })
  // As often as said, also after this process itself was kept waiting.
  next = Math.max(next + EVERY, begun)
  setTimeout(ask, Math.max(0, next - performance.now()))
}

ask()
process.on('message', () => {
  process.send!({ times: measured.sort((a, b) => a - b), failed })
  measured = []
  failed = 0
})
process.on('disconnect', () => process.exit())
