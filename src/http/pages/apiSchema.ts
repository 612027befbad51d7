/** Schemas as people read them: fields with what they are, nested as the values are. */
import { type Html, html } from './html.ts'

/** The part of a settled schema that is shown. */
export interface ShownSchema {
  readonly $ref?: string
  readonly title?: string
  readonly description?: string
  readonly type?: string | readonly string[]
  readonly format?: string
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly minimum?: number
  readonly maximum?: number
  readonly default?: unknown
  readonly properties?: Readonly<Record<string, ShownSchema>>
  readonly required?: readonly string[]
  readonly items?: ShownSchema
  readonly oneOf?: readonly ShownSchema[]
  readonly anyOf?: readonly ShownSchema[]
  readonly additionalProperties?: boolean | ShownSchema
}

/** What a value is, in a few words; a schema with a name is linked to. */
export function typeOf(schema: ShownSchema): Html {
  const { $ref, type, items, anyOf, oneOf, format, enum: words } = schema
  if ($ref !== undefined) return html`<a href="#${anchorOf(nameOf($ref))}">${nameOf($ref)}</a>`
  if (anyOf !== undefined) return joined(anyOf)
  if (oneOf !== undefined) return html`one of ${oneOf.length}`
  if (items !== undefined) return html`list of ${typeOf(items)}`
  if (words !== undefined) return html`${words.map((word) => JSON.stringify(word)).join(', ')}`
  const name = type === undefined ? 'anything' : [type].flat().join(' or ')
  return html`${name}${format !== undefined && `, ${format}`}${bounds(schema)}`
}

function joined(schemas: readonly ShownSchema[]): Html {
  return html`${schemas.map((each, index) => html`${index > 0 && ' or '}${typeOf(each)}`)}`
}

function bounds({ minimum, maximum, default: fallback }: ShownSchema): string {
  const range =
    maximum === undefined ? (minimum === undefined ? '' : `, from ${minimum} on`) : `, ${minimum} to ${maximum}`
  return `${range}${fallback === undefined ? '' : `; ${String(fallback)} if not given`}`
}

/** The fields in it, if it has any. */
export function schemaList(schema: ShownSchema): Html | undefined {
  const { properties, items, oneOf, anyOf, additionalProperties: others, required = [] } = schema
  if (oneOf !== undefined) return html`${oneOf.map(choice)}`
  if (anyOf !== undefined) return html`${anyOf.map(schemaList)}`
  if (items !== undefined) return schemaList(items)
  if (properties === undefined) return typeof others === 'object' ? schemaList(others) : undefined
  const fields = Object.entries(properties).map(([name, each]) => field(name, each, required.includes(name)))
  return html`<ul class="fields">${fields}</ul>`
}

function choice(schema: ShownSchema): Html {
  return html`<p class="choice">${schema.title ?? 'or'}</p>${schemaList(schema)}`
}

function field(name: string, schema: ShownSchema, isRequired: boolean): Html {
  const description = schema.description ?? schema.items?.description
  return html`<li><code>${name}</code> <span class="soft">${typeOf(schema)}${!isRequired && '; may be missing'}</span>
${description !== undefined && html`<span class="about">${description}</span>`}${schemaList(schema)}</li>`
}

export function anchorOf(name: string): string {
  return `schema-${name}`
}

function nameOf(reference: string): string {
  return reference.split('/').at(-1)!
}
