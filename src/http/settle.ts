/** Schemas as a document has them: with what each meter is, and by reference where they have a name. */
import type { Meters } from '../core/meters.ts'
import { NAME, type Named, PER_METER, type Schema } from './schema.ts'

/** Makes a schema one of the document. */
export interface Settler {
  (schema: Schema): Schema
  /** The same without references. */
  whole(schema: Schema): Schema
  /** The schemas that have a name and were settled so far. */
  named(): Readonly<Record<string, Schema>>
}

/** @throws {RangeError} from `settle` if two schemas have the same name. */
export function createSettler(meters: Meters): Settler {
  const known = new Map<string, { readonly given: Schema; readonly settled: Schema }>()

  function walk(value: unknown, refer: boolean): unknown {
    if (Array.isArray(value)) return value.map((each) => walk(each, refer))
    if (typeof value !== 'object' || value === null) return value
    const { [NAME]: named, [PER_METER]: ofMeter, ...schema } = value as Schema
    if (named !== undefined && refer) return reference(named, schema.examples)
    if (ofMeter === undefined) return mapValues(schema, (each) => walk(each, refer))
    const properties = [...meters.values()].map((meter) => [meter.name, walk(ofMeter(meter), refer)])
    return { ...schema, properties: Object.fromEntries(properties), additionalProperties: false }
  }

  function reference({ name, schema }: Named, examples: unknown): Schema {
    const other = known.get(name)?.given
    if (other !== undefined && other !== schema) throw new RangeError(`Two schemas have the name ${name}`)
    if (other === undefined) known.set(name, { given: schema, settled: walk(schema, true) as Schema })
    const own = examples === schema.examples ? {} : { examples }
    return { $ref: `#/components/schemas/${name}`, ...own }
  }

  const settle = (schema: Schema) => walk(schema, true) as Schema
  return Object.assign(settle, {
    whole: (schema: Schema) => walk(schema, false) as Schema,
    named: () => mapValues(Object.fromEntries(known), ({ settled }) => settled),
  })
}

function mapValues<From, To>(object: Readonly<Record<string, From>>, change: (value: From) => To): Record<string, To> {
  return Object.fromEntries(Object.entries(object).map(([name, value]) => [name, change(value)]))
}
