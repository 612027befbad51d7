/** What may become of a call to Perun on its way there and back, beside being answered. */
import { checked, runtime, uncaught } from '#src/demo/perun/exceptions.ts'
import { resultOf } from '#src/demo/perun/respond.ts'

export type Fate =
  | 'answered'
  | 'refused connection'
  | 'lost before'
  | 'lost after'
  | 'given up, never done'
  | 'given up, done later'
  | 'truncated'
  | 'late error'
  | 'a page'
  | 'bad gateway'
  | 'no such status'
  | 'internal error'
  | 'consistency error'
  | 'uncaught'
  | 'privilege'
  | 'unauthorized'

/** What passes by. */
export const passing: readonly Fate[] = [
  'refused connection',
  'lost before',
  'lost after',
  'lost after',
  'given up, never done',
  'given up, done later',
  'truncated',
  'late error',
  'a page',
  'bad gateway',
  'no such status',
  'internal error',
  'consistency error',
  'uncaught',
]

/** What may go on for a while. */
export const moods: readonly (readonly Fate[])[] = [
  ['refused connection'],
  ['bad gateway'],
  ['a page'],
  ['internal error'],
  ['lost before', 'lost after'],
  ['given up, never done', 'given up, done later'],
  ['privilege'],
  ['unauthorized'],
  ['truncated'],
]

export interface Answer {
  readonly status: number
  readonly body: string
}

const page = (status: number): Answer => ({ status, body: '<!doctype html><title>Sorry</title><p>[]</p>' })
export const forbidden = page(403)
const failing = (exception: () => Error) => () =>
  resultOf(() => {
    throw exception()
  })

/** What comes instead of an answer. */
export const answers: Record<
  Exclude<
    Fate,
    | 'answered'
    | 'refused connection'
    | 'lost before'
    | 'lost after'
    | 'given up, never done'
    | 'given up, done later'
    | 'truncated'
  >,
  () => Answer
> = {
  'late error': () => ({ ...answers['internal error'](), status: 200 }),
  'a page': () => page(200),
  'bad gateway': () => page(502),
  'no such status': () => page(418),
  'internal error': failing(() => runtime('InternalErrorException', 'SQLException')),
  'consistency error': failing(() => runtime('ConsistencyErrorException', 'Data are inconsistent')),
  uncaught: failing(() => uncaught(undefined)),
  privilege: failing(() => checked('PrivilegeException', 'not authorized')),
  unauthorized: () => page(401),
}

export function firstHalf({ status, body }: Answer): Answer {
  // What is left of a short body may be a whole answer, but never of `null` or an array.
  return { status, body: body.slice(0, Math.floor(body.length / 2)) }
}
