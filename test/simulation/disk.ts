/**
 * SQLite as a worker meets it: real files and real statements, which a fault may befall before or after they are done.
 *
 * A process that dies loses its connections; SQLite rolls back what they had begun. What was committed is in the file, and
 * the next life finds it there. A loss of power, where the disk forgets what it said was written, is not simulated.
 */
import { DatabaseSync, type DatabaseSyncOptions, type StatementSync } from 'node:sqlite'
import { type Life, ProcessDied } from './timeline.ts'

export interface DiskFaults {
  /** Whether the process dies here. */
  dies(when: 'before' | 'within' | 'after', what: string): boolean
  /** An error of SQLite for this statement, if it has one. */
  fails(what: string): SqliteFault | undefined
  /** Told after each transaction that is in the file, with the tables that its statements name. */
  committed(tables: ReadonlySet<string>): void
}

export type SqliteFault = 'full' | 'busy' | 'io'

const errors = {
  full: { errcode: 13, message: 'database or disk is full', forgets: true },
  busy: { errcode: 5, message: 'database is locked', forgets: false },
  io: { errcode: 10, message: 'disk I/O error', forgets: true },
} as const

/** The connections of one life. */
export class Disk {
  readonly #life: Life
  readonly #faults: DiskFaults
  readonly #open = new Set<SimulatedDatabase>()

  constructor(life: Life, faults: DiskFaults) {
    this.#life = life
    this.#faults = faults
  }

  connect = (path: string, options: DatabaseSyncOptions = {}): DatabaseSync => {
    this.#mustLive()
    const database = new SimulatedDatabase(path, { ...options, timeout: 0 }, this)
    this.#open.add(database)
    return database
  }

  /** The end of the process: what is not committed never was. */
  die(): void {
    this.#life.isDead = true
    for (const database of this.#open) database.close()
    this.#open.clear()
  }

  /** Carries out a statement, with what may befall it. */
  carryOut<Result>(database: SimulatedDatabase, what: string, work: () => Result): Result {
    this.#mustLive()
    // Only statements of a transaction, and those that begin and end one, have an effect on anybody else.
    if (this.#faults.dies('before', what)) this.#kill()
    const fault = this.#faults.fails(what)
    if (fault !== undefined) {
      const { errcode, message, forgets } = errors[fault]
      // SQLite may roll back all of the transaction by itself, and sometimes does.
      if (forgets && what !== 'ROLLBACK' && database.isTransaction) database.rollBack()
      throw Object.assign(new Error(message), { code: 'ERR_SQLITE_ERROR', errcode, errstr: message })
    }
    const result = work()
    database.touched.add(tableOf(what))
    if (!database.isTransaction && !what.startsWith('BEGIN')) this.#faults.committed(database.takeTouched())
    if (this.#faults.dies('after', what)) this.#kill()
    return result
  }

  read<Result>(work: () => Result): Result {
    this.#mustLive()
    return work()
  }

  /** Dies in the middle of a script. */
  dieAfter(work: () => void): never {
    work()
    return this.#kill()
  }

  #kill(): never {
    this.die()
    throw new ProcessDied('The process died')
  }

  #mustLive(): void {
    if (this.#life.isDead) throw new ProcessDied('The process is dead')
  }

  diesWithin(): boolean {
    return this.#faults.dies('within', 'a migration')
  }
}

class SimulatedDatabase extends DatabaseSync {
  /** The tables of statements since the last commit; some of them may have been rolled back. */
  touched = new Set<string>()
  /** Let go of in the end: the worker keeps its locks for as long as its process lives, and this one outlives many. */
  #connected: Disk | undefined

  constructor(path: string, options: DatabaseSyncOptions, disk: Disk) {
    super(path, options)
    this.#connected = disk
  }

  get #disk(): Disk {
    if (this.#connected === undefined) throw new ProcessDied('The process is dead')
    return this.#connected
  }

  override exec(sql: string): void {
    const isScript = sql.includes('CREATE TABLE') && sql.length > 1_000
    if (isScript && this.#disk.diesWithin()) {
      this.#disk.dieAfter(() => super.exec(sql.slice(0, sql.lastIndexOf('CREATE'))))
    }
    this.#disk.carryOut(this, labelOf(sql), () => super.exec(sql))
  }

  override prepare(sql: string): StatementSync {
    const statement = this.#disk.read(() => super.prepare(sql))
    const what = labelOf(sql)
    const { run, get, all } = statement as unknown as Record<'run' | 'get' | 'all', (...values: unknown[]) => unknown>
    const isRead = /^(SELECT|PRAGMA)/i.test(sql.trimStart())
    const guarded = <Result>(work: () => Result) =>
      isRead ? this.#disk.read(work) : this.#disk.carryOut(this, what, work)
    return Object.assign(statement, {
      run: (...values: unknown[]) => guarded(() => run.apply(statement, values)),
      get: (...values: unknown[]) => guarded(() => get.apply(statement, values)),
      all: (...values: unknown[]) => guarded(() => all.apply(statement, values)),
    })
  }

  override close(): void {
    this.#connected = undefined
    if (this.isOpen) super.close()
  }

  takeTouched(): ReadonlySet<string> {
    const { touched } = this
    this.touched = new Set()
    return touched
  }

  rollBack(): void {
    super.exec('ROLLBACK')
  }
}

/** The last word of `UPDATE groups` and the like. */
function tableOf(what: string): string {
  return what.slice(what.lastIndexOf(' ') + 1)
}

/** `UPDATE groups`: enough to tell in a story what it was. */
function labelOf(sql: string): string {
  const text = sql.trim().replace(/\s+/g, ' ')
  return /^(?:INSERT (?:OR \w+ )?INTO|UPDATE|DELETE FROM) \w+|^\w+/.exec(text)?.[0] ?? text.slice(0, 20)
}
