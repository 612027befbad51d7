/**
 * One name for one piece of work, through every line that is logged about it.
 *
 * A delivery passes through parsing, lanes and the ledger, a publish through the outbox and several calls of Perun.
 * Work started with `withTask` carries its id along, across every `await` and timer that it starts, and the logger
 * writes it as `task`. Work handed over through a queue is run where the queue runs it: wrap it in `withTask` again
 * there.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import { randomBytes } from 'node:crypto'

const tasks = new AsyncLocalStorage<string>()

/** Runs `fn` as the task `id`; a task started within it has its own id until it ends. */
export function withTask<T>(id: string, fn: () => T): T {
  return tasks.run(id, fn)
}

/** The id of the task we are in, if we are in one. */
export function currentTask(): string | undefined {
  return tasks.getStore()
}

/** Tells this run of the program from others. */
const run = randomBytes(4).toString('hex')
let count = 0

/** An id that no other task of a ledger's lifetime is likely to have: `scrape-5f0c93d2-1k`. */
export function newTaskId(prefix: string): string {
  count += 1
  return `${prefix}-${run}-${count.toString(36)}`
}
