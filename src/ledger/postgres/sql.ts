/** Statements, and how their values become ours: whole numbers are bigint, texts as `text.ts` says, JSON stays text. */
import { hash } from 'node:crypto'
import type { ClientBase, CustomTypesConfig } from 'pg'
import type { Row } from '../rows.ts'
import { decodeJson, decodeText, encodeText } from './text.ts'

export type Value = string | number | bigint | null | undefined
type Parameter = Value | readonly Value[]

/** A connection within a transaction, or one of its own for a single statement. */
export interface Sql {
  /** What a statement answers. */
  all<Result = Row>(text: string, ...parameters: Parameter[]): Promise<Result[]>
  /** How many rows it changed. */
  run(text: string, ...parameters: Parameter[]): Promise<number>
  /** Several statements, without parameters. */
  script(text: string): Promise<void>
}

/** The types by their numbers in every PostgreSQL. */
const parsers = new Map<number, (text: string) => unknown>([
  ...[20, 21, 23, 1_700].map((id) => [id, BigInt] as const),
  ...[25, 1_043].map((id) => [id, decodeText] as const),
  ...[114, 3_802].map((id) => [id, decodeJson] as const),
  [16, (text: string) => text === 't'],
  [701, Number],
])

export const types: CustomTypesConfig = {
  getTypeParser: (id: number) => (parsers.get(id) ?? String) as never,
}

/** Statements are prepared once for each connection, by a name made of their text. */
const names = new Map<string, string>()

function nameOf(text: string): string {
  const known = names.get(text)
  if (known !== undefined) return known
  const name = hash('sha256', text, 'base64url').slice(0, 20)
  names.set(text, name)
  return name
}

export function sqlOf(client: Pick<ClientBase, 'query'>): Sql {
  const query = (text: string, parameters: readonly Parameter[]) =>
    client.query({ name: nameOf(text), text, values: parameters.map(toParameter), types })
  return {
    all: async (text, ...parameters) => (await query(text, parameters)).rows as never,
    run: async (text, ...parameters) => (await query(text, parameters)).rowCount ?? 0,
    script: async (text) => void (await client.query(text)),
  }
}

function toParameter(value: Parameter): unknown {
  if (typeof value === 'string') return encodeText(value)
  if (Array.isArray(value)) return value.map(toParameter)
  return value ?? null
}

/** The first row, of a statement that has one. */
export async function one<Result = Row>(rows: Promise<Result[]>): Promise<Result | undefined> {
  return (await rows)[0]
}
