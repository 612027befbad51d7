/**
 * What goes wrong in a request, and how it is said: every error is answered as `application/problem+json` (RFC 9457) with
 * a sentence a person can act on. People with a browser see a page instead.
 *
 * A handler throws; one place turns what was thrown into the answer. Only what was thrown for the client is told to the
 * client, and a ledger in trouble. Anything else is a mistake of ours: it is logged with its stack, and the answer names nothing but the task
 * under which it stands in the log.
 */
import { STATUS_CODES } from 'node:http'
import type { Context, Middleware } from 'koa'
import { LedgerError } from '../ledger/ledger.ts'
import { currentTask } from '../telemetry/context.ts'
import type { Logger } from '../telemetry/logger.ts'

/** An error that is the answer: its message is for the client. */
class HttpError extends Error {
  override readonly name: string = 'HttpError'
  /** 400 to 599. */
  readonly status: number
  /** Sent along with it, such as `Allow`. */
  readonly headers: Readonly<Record<string, string>>

  constructor(status: number, detail: string, headers: Readonly<Record<string, string>> = {}) {
    super(detail)
    this.status = status
    this.headers = headers
  }
}

export class BadRequestError extends HttpError {
  override readonly name = 'BadRequestError'
  constructor(detail: string) {
    super(400, detail)
  }
}

/** Nobody we know asks: a key is missing or wrong. */
export class UnauthorizedError extends HttpError {
  override readonly name = 'UnauthorizedError'
  constructor(detail: string) {
    super(401, detail, { 'WWW-Authenticate': 'Bearer realm="credits worker"' })
  }
}

/** A key was sent, and it is none of ours. */
export class WrongKeyError extends UnauthorizedError {
  constructor() {
    super('The key that was sent is not known here.')
  }
}

/** Whoever asks may not have it. */
export class ForbiddenError extends HttpError {
  override readonly name = 'ForbiddenError'
  constructor(detail: string) {
    super(403, detail)
  }
}

export class NotFoundError extends HttpError {
  override readonly name = 'NotFoundError'
  constructor(detail: string) {
    super(404, detail)
  }
}

export class MethodNotAllowedError extends HttpError {
  override readonly name = 'MethodNotAllowedError'
  constructor(detail: string, allowed: readonly string[]) {
    super(405, detail, { Allow: allowed.join(', ') })
  }
}

/** It cannot be done as things stand. */
export class ConflictError extends HttpError {
  override readonly name = 'ConflictError'
  constructor(detail: string) {
    super(409, detail)
  }
}

export class BodyTooLargeError extends HttpError {
  override readonly name = 'BodyTooLargeError'
  constructor(detail: string) {
    super(413, detail)
  }
}

export class UnsupportedBodyError extends HttpError {
  override readonly name = 'UnsupportedBodyError'
  constructor(detail: string) {
    super(415, detail)
  }
}

export class TooManyRequestsError extends HttpError {
  override readonly name = 'TooManyRequestsError'
  /** @param seconds After how many it may be asked again. */
  constructor(detail: string, seconds: number) {
    super(429, detail, { 'Retry-After': String(seconds) })
  }
}

/** It can be done later. */
export class UnavailableError extends HttpError {
  override readonly name = 'UnavailableError'
  /** @param seconds After how many it may be asked again. */
  constructor(detail: string, seconds: number) {
    super(503, detail, { 'Retry-After': String(seconds) })
  }
}

export class HeadTooLargeError extends HttpError {
  override readonly name = 'HeadTooLargeError'
  constructor(detail: string) {
    super(431, detail)
  }
}

/** What an answer that is none says. */
export interface Problem {
  readonly title: string
  readonly status: number
  readonly detail: string
  /** Under which it stands in the log. */
  readonly task: string | undefined
}

/**
 * Answers what the middleware after it throws.
 *
 * @param showPerson Answers people; `false` if it is none who asked.
 */
export function answerErrors(logger: Logger, showPerson: (ctx: Context, problem: Problem) => boolean): Middleware {
  return async (ctx, next) => {
    try {
      await next()
      writeJson(ctx)
    } catch (error) {
      const { status, message, headers } = error instanceof HttpError ? error : toHttpError(error, logger)
      const problem = { title: STATUS_CODES[status] ?? 'Error', status, detail: message, task: currentTask() }
      ctx.status = status
      ctx.set(headers)
      if (!showPerson(ctx, problem)) showProgram(ctx, problem)
    }
  }
}

/** Here and not when it is sent, so that what cannot be written as JSON is answered like any other mistake of ours. */
function writeJson(ctx: Context): void {
  const { body } = ctx
  if (typeof body === 'object' && body !== null && !Buffer.isBuffer(body)) ctx.body = JSON.stringify(body)
}

function toHttpError(error: unknown, logger: Logger): HttpError {
  return error instanceof LedgerError ? new HttpError(503, error.message) : unexpected(error, logger)
}

function unexpected(error: unknown, logger: Logger): HttpError {
  logger.error({ err: error }, 'A request failed for a reason that was not expected')
  return new HttpError(500, 'Something went wrong in here. The log tells what, under this task.')
}

function showProgram(ctx: Context, { title, status, detail, task }: Problem): void {
  ctx.body = { type: problemType(title), title, status, detail, instance: ctx.path, task }
  ctx.type = 'application/problem+json'
}

/** Names the kind of problem for programs: `urn:credits-worker:problem:not-found`. */
export function problemType(title: string): string {
  return `urn:credits-worker:problem:${title.toLowerCase().replaceAll(' ', '-')}`
}
