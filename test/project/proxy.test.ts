/**
 * deploy/haproxy.cfg, the proxy before the replicas of the Compose profile `scale`, with a real HAProxy. What is changed: its
 * port, and the replicas, which Docker's names would lead to, are servers of this test.
 */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, suite, test } from 'vitest'
import { findProgram, freePort, runProgram } from '../helpers/programs.ts'
import { until } from '../helpers/worker.ts'
import { compose, mountsOf } from './compose.ts'
import { read } from './repository.ts'

const service = compose.services.proxy!
const config = read('deploy/haproxy.cfg')
const haproxy = findProgram('haproxy', '-v', 'HAPROXY', 'deploy/haproxy.cfg; on Debian: apt-get install haproxy')

test('The proxy is given the file that this is about', () => {
  expect(mountsOf(service)).toEqual([
    expect.objectContaining({ source: './deploy/haproxy.cfg', target: '/usr/local/etc/haproxy/haproxy.cfg' }),
  ])
})

test('The proxy has room for more replicas than are started', () => {
  const [, most] = /^ {2}server-template \S+ 1-(\d+) /m.exec(config)!
  expect(Number(most)).toBeGreaterThan(2 * compose.services.replica!.deploy!.replicas!)
})

suite.skipIf(haproxy.isMissing)('The proxy', () => {
  test('understands its file as it is', () => {
    const { status, stderr } = spawnSync(haproxy.path, ['-c', '-q', '-f', 'deploy/haproxy.cfg'], { encoding: 'utf8' })
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  })

  test('leads a browser to the same replica again and again, and others to others', async () => {
    const { ask } = await startProxy(2)
    const [first] = await Promise.all([ask('/stats')])
    const cookie = first.headers.get('set-cookie')!
    expect(cookie).toMatch(/^credits_replica=[0-9a-f]+; path=\/; HttpOnly; SameSite=Lax$/)
    const again = await Promise.all(Array.from({ length: 6 }, () => ask('/stats', { cookie: cookie.split(';')[0]! })))
    expect(new Set(await Promise.all(again.map((answer) => answer.text())))).toEqual(new Set([await first.text()]))
    const others = await Promise.all(Array.from({ length: 8 }, () => ask('/stats').then((answer) => answer.text())))
    expect(new Set(others).size).toBe(2)
  })

  test('leads a browser to another replica when its own is gone', async () => {
    const { ask, replicas } = await startProxy(2)
    const first = await ask('/')
    const cookie = first.headers.get('set-cookie')!.split(';')[0]!
    const name = await first.text()
    await replicas.find((replica) => replica.name === name)!.close()
    const second = await ask('/', { cookie })
    expect(second.status).toBe(200)
    expect(await second.text()).not.toBe(name)
  })

  test('asks no replica that does not live', async () => {
    const { ask, replicas } = await startProxy(2)
    replicas[0]!.isAlive = false
    const answers = () => Promise.all(Array.from({ length: 8 }, () => ask('/').then((answer) => answer.text())))
    await until('only the other one is asked', async () => (await answers()).every((name) => name === 'replica 1'))
  })

  test('hands on what the browser asked for, and keeps metrics to itself', async () => {
    const { ask, replicas, port } = await startProxy(1)
    await ask('/holds?site=1')
    expect(replicas[0]!.asked.at(-1)).toMatchObject({
      url: '/holds?site=1',
      host: `127.0.0.1:${port}`,
      'x-forwarded-for': '127.0.0.1',
      'x-forwarded-proto': 'http',
    })
    expect((await ask('/metrics')).status).toBe(403)
    expect(replicas[0]!.asked.map(({ url }) => url)).not.toContain('/metrics')
  })
})

const words = service.healthcheck!.test
const hasBash = spawnSync('bash', ['-c', 'exec 3<>/dev/tcp/127.0.0.1/1'], { encoding: 'utf8' }).stderr.includes(
  'refused',
)
if (!hasBash)
  process.stderr.write('NOT TESTED: the health check of the proxy (there is no bash that opens connections)\n')

suite.skipIf(!hasBash)('The health check of the proxy', () => {
  async function verdict(port: number): Promise<number> {
    expect(words.slice(0, 3)).toEqual(['CMD', 'bash', '-c'])
    const child = spawn('bash', ['-c', words[3]!.replace('/8000 ', `/${port} `)], { stdio: 'ignore' })
    const [exitCode] = (await once(child, 'exit')) as [number]
    return exitCode
  }

  test('is content with a proxy that finds a replica, and with nothing else', async () => {
    const peer = await listen((request, response) => {
      response.writeHead(request.url === '/livez' ? status : 404).end('{}')
    })
    let status = 200
    expect(await verdict(peer.port)).toBe(0)
    status = 503
    expect(await verdict(peer.port)).not.toBe(0)
    await peer.close()
    expect(await verdict(peer.port)).not.toBe(0)
  })
})

async function listen(answer: RequestListener) {
  const server = createServer(answer).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const close = async () => {
    if (!server.listening) return
    server.close()
    server.closeAllConnections()
    await once(server, 'close')
  }
  onTestFinished(close)
  return { port: (server.address() as AddressInfo).port, close }
}

async function startReplica(name: string) {
  const replica = {
    name,
    isAlive: true,
    asked: [] as Record<string, unknown>[],
    port: 0,
    close: async () => {},
  }
  const server = await listen((request, response) => {
    if (request.url === '/livez') return void response.writeHead(replica.isAlive ? 200 : 503).end()
    replica.asked.push({ url: request.url, ...request.headers })
    response.end(name)
  })
  return Object.assign(replica, server)
}

/** The proxy before so many replicas, once it has found all of them. */
async function startProxy(count: number) {
  const replicas = await Promise.all(Array.from({ length: count }, (_, index) => startReplica(`replica ${index}`)))
  const port = await freePort()
  const servers = replicas.map(({ port: at }, index) => `  server replica${index} 127.0.0.1:${at}`).join('\n')
  const text = config
    .replace('bind :8000', `bind 127.0.0.1:${port}`)
    .replace(/^ {2}server-template .*$/m, servers)
    .replace('inter 2s', 'inter 100ms')
  const program = runProgram(haproxy.path, { 'haproxy.cfg': text }, (folder) => ['-f', `${folder}/haproxy.cfg`])
  await program.answers(`http://127.0.0.1:${port}/livez`)
  const ask = (path: string, headers: Record<string, string> = {}) =>
    fetch(`http://127.0.0.1:${port}${path}`, { headers, redirect: 'manual' })
  return { replicas, ask, port }
}
