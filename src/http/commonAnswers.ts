/** What every route answers, or each of a kind, so that routes need not say it. */
import type { AnswerShape, Route } from './route.ts'

interface CommonAnswer {
  /** Of the answer in the description of the API. */
  readonly name: string
  readonly status: number
  readonly answer: string | AnswerShape
  isFor(route: Route): boolean
}

export const commonAnswers: readonly CommonAnswer[] = [
  { name: 'BrokenAddress', status: 400, answer: 'The address is no proper one', isFor: () => true },
  {
    name: 'NoKey',
    status: 401,
    answer: { description: 'A key is missing or wrong', headers: { 'WWW-Authenticate': 'How to send a key' } },
    isFor: ({ who }) => who !== 'all',
  },
  {
    name: 'NotHere',
    status: 403,
    answer: 'It is the key of a writer, or no key is set and the request is not from this machine',
    isFor: ({ who }) => who === 'reader',
  },
  {
    name: 'NotOperator',
    status: 403,
    answer: 'It is the key of a reader or a writer, or no key is set and the request is not from this machine',
    isFor: ({ who }) => who === 'operator',
  },
  {
    name: 'NotWriter',
    status: 403,
    answer: 'It is the key of a reader, or no key is set and the request is not from this machine',
    isFor: ({ who }) => who === 'writer',
  },
  {
    name: 'OtherMethod',
    status: 405,
    answer: { description: 'Another method than those of this address', headers: { Allow: 'The methods it takes' } },
    isFor: () => true,
  },
  { name: 'BodyTooLarge', status: 413, answer: 'The body is longer than 1 MiB', isFor: takesBody },
  { name: 'NoJson', status: 415, answer: 'The body is not sent as application/json', isFor: takesBody },
  {
    name: 'TooMany',
    status: 429,
    answer: {
      description: 'Too many requests, or wrong keys, from this address',
      headers: { 'Retry-After': 'Seconds to wait' },
    },
    isFor: ({ isForWatchers }) => isForWatchers !== true,
  },
  {
    name: 'HeadTooLarge',
    status: 431,
    answer: 'Its head has more than 100 headers, or 16 KiB: then nothing is said',
    isFor: () => true,
  },
  {
    name: 'OurMistake',
    status: 500,
    answer: 'Something went wrong in the worker; its log tells what, under the task',
    isFor: () => true,
  },
]

function takesBody({ body }: Route): boolean {
  return body !== undefined
}
