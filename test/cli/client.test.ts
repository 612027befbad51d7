/** What goes wrong between the command line and the worker, and how it is said. */
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, suite, test } from 'vitest'
import { startFace } from '../http/server.ts'
import { typed } from './commandLine.ts'

const KEY = 'the-operators-key'

/** A server that answers as it likes; its address, and the requests that came. */
async function startStranger(answer: RequestListener) {
  const asked: { url: string; key: string | undefined }[] = []
  const server = createServer((request, response) => {
    asked.push({ url: request.url!, key: request.headers['x-api-key'] as string | undefined })
    answer(request, response)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked }
}

suite('No worker', () => {
  test('at an address is told with the address and where to set it', async () => {
    const { code, stdout, stderr } = await typed(['status', '--url', 'http://127.0.0.1:9'])
    expect([code, stdout]).toEqual([69, ''])
    expect(stderr).toMatch(/^No answer from http:\/\/127\.0\.0\.1:9: nobody listens there\. .* OS_CREDITS_URL /)
  })

  test.each([
    ['HTML', 200, '<html>Welcome</html>'],
    ['other JSON', 200, '{"hello": "world"}'],
    ['the page of a proxy', 502, 'Bad Gateway'],
    ['nothing', 404, ''],
  ])('but somebody who answers %s is found out', async (_what, status, body) => {
    const { url } = await startStranger((_request, response) => response.writeHead(status).end(body))
    const { code, stdout, stderr } = await typed(['status'], { OS_CREDITS_URL: url })
    expect([code, stdout]).toEqual([69, ''])
    expect(stderr).not.toContain('at ')
    expect(stderr.trim().split('\n')).toHaveLength(1)
  })

  test('but somebody who hangs up in the middle', async () => {
    const { url } = await startStranger((_request, response) => {
      response.writeHead(200, { 'Content-Length': '1000' }).write('{"groups":', () => response.destroy())
    })
    expect(await typed(['groups'], { OS_CREDITS_URL: url })).toMatchObject({ code: 69, stdout: '' })
  })
})

suite('Without an address', () => {
  test.each(['127.0.0.1', '0.0.0.0', ''])(
    'a worker with this environment is asked: it listens on "%s"',
    async (host) => {
      await using face = await startFace({ keys: { operator: KEY } })
      const env = { CREDITS_HOST: host, CREDITS_PORT: String(face.port), API_KEY: KEY }
      expect(await typed(['status'], env)).toMatchObject({ code: 0 })
      expect((await typed(['--help'], env)).stdout).toContain(`the worker at http://127.0.0.1:${face.port} is asked`)
    },
  )

  test.each([
    ['::', '[::1]'],
    ['fd00::7', '[fd00::7]'],
    ['credits.example.org', 'credits.example.org'],
  ])('a worker that listens on %s is asked at %s', async (host, asked) => {
    const env = { CREDITS_HOST: host, CREDITS_PORT: '9' }
    expect((await typed(['--help'], env)).stdout).toContain(`the worker at http://${asked}:9 is asked`)
  })

  test('one that is set goes before where a worker would listen', async () => {
    const { url, asked } = await startStranger((_request, response) => response.writeHead(404).end())
    await typed(['status', '--url', url], { OS_CREDITS_URL: 'http://127.0.0.1:9', CREDITS_PORT: '9' })
    await typed(['status'], { OS_CREDITS_URL: url, CREDITS_PORT: '9' })
    expect(asked).toHaveLength(2)
  })

  test.each(['0', 'http', '70000', '8000/x?'])('nobody is asked where the port is %s', async (port) => {
    const { code, stderr } = await typed(['status'], { CREDITS_PORT: port, API_KEY: KEY })
    expect([code, stderr]).toEqual([64, expect.stringContaining('--url or OS_CREDITS_URL does.')])
    expect((await typed(['--help'], { CREDITS_PORT: port })).stdout).toContain('no worker is found')
  })
})

suite('The key', () => {
  test('may come from a file, as for the worker', async () => {
    await using face = await startFace({ keys: { operator: KEY } })
    const folder = mkdtempSync(join(tmpdir(), 'key-'))
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
    writeFileSync(join(folder, 'key'), `${KEY}\n`)
    const env = { OS_CREDITS_URL: face.url, API_KEY_FILE: join(folder, 'key'), API_KEY: '' }
    expect(await typed(['status'], env)).toMatchObject({ code: 0 })
  })

  test.each([
    ['missing', [], 'This needs a key', 'Set API_KEY'],
    ['wrong', ['--key', 'guessed-wrong'], 'The key that was sent is not known here.', 'Compare the key'],
    ['that of a reader', ['--key', 'read'], 'This needs the key of an operator', 'Compare the key'],
  ])('that is %s ends with 77 and is not shown', async (_what, words, detail, hint) => {
    await using face = await startFace({ keys: { operator: KEY, reader: 'read' } })
    const { code, stdout, stderr } = await typed(['status', ...words], { OS_CREDITS_URL: face.url })
    expect([code, stdout]).toEqual([77, ''])
    expect(stderr).toContain(detail)
    expect(stderr).toContain(hint)
    expect(stderr).not.toMatch(/guessed-wrong|the-operators-key/)
  })

  test.each([
    ['with a blank in it', { API_KEY: 'two words' }],
    ['with a line break in it', { API_KEY: 'two\nlines' }],
    ['in a file that is not there', { API_KEY_FILE: '/nowhere/two-words' }],
    ['in two places', { API_KEY: 'words', API_KEY_FILE: '/nowhere/two' }],
  ])('%s is refused before anybody is asked, and not shown', async (_what, env) => {
    const { code, stderr } = await typed(['status', '--url', 'http://127.0.0.1:9'], env)
    expect(code).toBe(64)
    expect(stderr).not.toMatch(/two|lines|words/)
  })

  test('goes nowhere else: a redirection is not followed', async () => {
    const other = await startStranger((_request, response) => response.end('{}'))
    const { url } = await startStranger((_request, response) =>
      response.writeHead(302, { Location: `${other.url}/stats` }).end(),
    )
    const { code, stderr } = await typed(['status', '--key', KEY], { OS_CREDITS_URL: url })
    expect([code, stderr]).toEqual([69, expect.stringContaining('which is not followed')])
    expect(other.asked).toEqual([])
  })

  test.each(['@127.0.0.1:9/', '//127.0.0.1:9/', 'http://127.0.0.1:9/', '/a b', 7])(
    'goes nowhere else: %j is no next page',
    async (next) => {
      const { url, asked } = await startStranger((_request, response) =>
        response.end(JSON.stringify({ holds: [], next: asked.length > 1 ? null : next })),
      )
      const { code } = await typed(['holds', '--key', KEY], { OS_CREDITS_URL: url })
      // A path that begins with two slashes is a path of the same worker.
      expect([code, asked.length]).toEqual(next === '//127.0.0.1:9/' ? [0, 2] : [69, 1])
    },
  )
})

suite('The worker', () => {
  test('that was asked too often says when to try again', async () => {
    await using face = await startFace({ rateLimit: 2 })
    await face.get('/api/groups')
    await face.get('/api/groups')
    const { code, stderr } = await typed(['groups'], { OS_CREDITS_URL: face.url })
    expect(code).toBe(1)
    expect(stderr).toMatch(/^Too many requests from this address: wait \d+ s\. \(HTTP 429 .*\) Try again in \d+ s\.\n$/)
  })

  test('that says no is quoted, and with --json its problem document is printed as it is', async () => {
    await using face = await startFace()
    const { code, stdout, stderr } = await typed(['groups', '--json', '--limit', '0'], { OS_CREDITS_URL: face.url })
    expect([code, stdout, stderr]).toEqual([64, '', expect.stringContaining('--limit: expected a whole number')])
    const refused = await typed(['hold', 'seven', '--json'], { OS_CREDITS_URL: face.url })
    expect([refused.code, JSON.parse(refused.stdout).status]).toEqual([1, 404])
  })

  test('that fails names the task under which its log says why', async () => {
    await using face = await startFace({
      describeSettings: () => ({}),
      writeWindow: () => {
        throw new Error('inside')
      },
    })
    const { code, stderr } = await typed(['status'], { OS_CREDITS_URL: face.url })
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/\(HTTP 500 Internal Server Error, task \S+ in its log\)/),
    ])
  })

  test('may be behind a proxy with a path of its own', async () => {
    const { url, asked } = await startStranger((_request, response) => response.end('{"holds": [], "next": null}'))
    expect(await typed(['holds', '--url', `${url}/credits/`])).toMatchObject({ code: 0, stdout: 'No holds.\n' })
    expect(asked[0]!.url).toBe('/credits/api/holds?limit=1000')
  })

  test('whose answer about an adjustment is lost may be asked again with the same id', async () => {
    const { url } = await startStranger((request, response) => {
      if (request.method === 'GET') response.end('{"group": "bio", "used": "1", "granted": null}')
      else response.destroy()
    })
    const words = ['adjust', 'bio', '1', '--reason', 'x', '--yes', '--url', url]
    const { code, stderr } = await typed(words)
    expect([code, stderr]).toEqual([69, expect.stringMatching(/repeat it with --id cli-[\w-]+, which records it once/)])
  })
})

test.each(['ftp://127.0.0.1/', 'nonsense', 'http://127.0.0.1/?key=1'])('%s is no address of a worker', async (url) => {
  expect(await typed(['status', '--url', url])).toMatchObject({ code: 64 })
})

test('A login in the address is refused and not shown', async () => {
  const { code, stderr } = await typed(['status', '--url', 'http://jane:hidden@127.0.0.1/'])
  expect([code, stderr.includes('hidden')]).toEqual([64, false])
})
