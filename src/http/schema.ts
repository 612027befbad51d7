/**
 * JSON Schemas (2020-12), written shortly: what the descriptions of parameters, bodies and answers are made of.
 *
 * Every leaf has an example. The example of anything larger is put together from those of its leaves, so it always has the
 * shape that the schema says.
 */

import type { Meter } from '../core/meters.ts'

/** A plain JSON Schema. */
export type Schema = Readonly<Record<string, unknown>> & {
  readonly [NAME]?: Named
  /** Makes the schemas of an object whose keys are the names of the meters, which are not known where it is written. */
  readonly [PER_METER]?: (meter: Meter) => Schema
}

/** Such a schema stands once in the document, under its name, and is referred to. */
export interface Named {
  readonly name: string
  readonly schema: Schema
}

export const NAME = Symbol('name of a schema')
export const PER_METER = Symbol('schema for each meter')

type Rules = Readonly<Record<string, unknown>>

/** @param rules Further keywords, such as `pattern`. */
export function text(description: string, example: string, rules: Rules = {}): Schema {
  return { type: 'string', description, ...rules, examples: [example] }
}

/** A number in an answer that keeps its digits: a string. */
export function decimal(description: string, example: string): Schema {
  return text(description, example, { pattern: '^-?\\d+(\\.\\d+)?$' })
}

/** A number in a body: its digits count as they are written, be it a JSON number or a string. */
export function digits(description: string, example: number | string): Schema {
  const pattern = '^[+-]?(\\d+\\.?\\d*|\\.\\d+)([eE][+-]?\\d{1,5})?$'
  return { type: ['number', 'string'], description, pattern, examples: [example] }
}

/** A number that a decimal JSON number holds exactly, or that is none of credits. */
export function number(description: string, example: number, rules: Rules = {}): Schema {
  return { type: 'number', description, ...rules, examples: [example] }
}

export function whole(description: string, example: number, rules: Rules = {}): Schema {
  return { type: 'integer', description, ...rules, examples: [example] }
}

export function flag(description: string, example = true): Schema {
  return { type: 'boolean', description, examples: [example] }
}

export function instant(description: string, example = '2026-01-31T12:00:00.000Z'): Schema {
  return text(description, example, { format: 'date-time' })
}

/** One of some words; the first of them is the example. */
export function word(description: string, words: readonly string[], rules: Rules = {}): Schema {
  return { type: 'string', enum: words, description, ...rules, examples: [words[0]] }
}

/** The same or null. @param description Of what null means, where the schema is one that has a name. */
export function nullable(schema: Schema): Schema {
  if (schema[NAME] !== undefined || typeof schema.type !== 'string') return { anyOf: [schema, { type: 'null' }] }
  const { enum: words, ...rest } = schema as Schema & { readonly enum?: readonly unknown[] }
  return { ...rest, type: [schema.type, 'null'], ...(words !== undefined && { enum: [...words, null] }) }
}

export function list(of: Schema, rules: Rules = {}): Schema {
  return { type: 'array', items: of, ...rules }
}

/** An object with these fields and no others. */
export function fields(
  required: Readonly<Record<string, Schema>>,
  optional: Readonly<Record<string, Schema>> = {},
  rules: Rules = {},
): Schema {
  return {
    type: 'object',
    ...rules,
    properties: { ...required, ...optional },
    required: Object.keys(required),
    additionalProperties: false,
  }
}

/** An object whose keys are not known before; @param example One of them. */
export function mapOf(value: Schema, example: string, description?: string): Schema {
  return {
    type: 'object',
    ...(description !== undefined && { description }),
    additionalProperties: value,
    examples: [{ [example]: exampleOf(value) }],
  }
}

/** An object with a value for each meter, or for some of them. */
export function perMeter(description: string, value: (meter: Meter) => Schema): Schema {
  return { type: 'object', description, [PER_METER]: value }
}

/** Exactly one of these; the titles name them, and their examples. */
export function oneOf(choices: Readonly<Record<string, Schema>>): Schema {
  return { oneOf: Object.entries(choices).map(([title, schema]) => ({ title, ...schema })) }
}

/** A schema that several routes use. */
export function named(name: string, schema: Schema): Schema {
  return { ...schema, [NAME]: { name, schema } }
}

/** The same with another example. */
export function like(schema: Schema, example: unknown): Schema {
  return { ...schema, examples: [example] }
}

/** What a value of this schema looks like: of an object all fields, of a choice the first one. */
export function exampleOf(schema: Schema): unknown {
  const { examples, properties, items, oneOf: choices, anyOf } = schema as Schema & Parts
  if (examples !== undefined) return examples[0]
  const first = (choices ?? anyOf)?.[0]
  if (first !== undefined) return exampleOf(first)
  if (items !== undefined) return [exampleOf(items)]
  if (properties === undefined) return schema.const ?? null
  return Object.fromEntries(Object.entries(properties).map(([name, each]) => [name, exampleOf(each)]))
}

/** The examples of a schema by name: one of each choice, else one. */
export function examplesOf(schema: Schema): Readonly<Record<string, unknown>> {
  const { oneOf: choices } = schema as Schema & Parts
  if (choices === undefined) return { example: exampleOf(schema) }
  return Object.fromEntries(choices.map((each) => [each.title as string, exampleOf(each)]))
}

interface Parts {
  readonly examples?: readonly unknown[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly items?: Schema
  readonly oneOf?: readonly Schema[]
  readonly anyOf?: readonly Schema[]
}
