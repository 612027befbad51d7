/**
 * Exporters of several large sites in a process of their own: `node bench/sites.ts <sites> <projects of each>`. `/<site>` shows
 * nothing until the parent says `begin`; from then on two series of each project, which grow as time goes by. It tells the parent
 * when it is asked.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expositionOf } from '../test/helpers/cloud.ts'

const [sites, projects] = process.argv.slice(2).map(Number) as [number, number]
const HOUR = 3_600_000

let begun: number | undefined
let text = ''
let madeAt = 0

const server = createServer((request, response) => {
  const site = Number(request.url?.slice(1))
  response.writeHead(site > 0 && site <= sites ? 200 : 404, { 'content-type': 'text/plain; version=0.0.4' })
  if (begun === undefined) {
    response.end()
    return
  }
  process.send!({ asked: site, at: Date.now() })
  response.end(currentText().replaceAll('domain_id=', `location_id="${site}",domain_id=`))
})

/** Made once a second at most. */
function currentText(): string {
  const now = Date.now()
  if (text === '' || now - madeAt > 1_000) text = expositionOf({ projects, hours: 1_000 + (now - begun!) / HOUR })
  madeAt = now
  return text
}

server.listen(0, '127.0.0.1', () => process.send!({ port: (server.address() as AddressInfo).port }))
process.on('message', () => {
  begun = Date.now()
})
process.on('disconnect', () => process.exit())
