/** What is pushed, and how pushes went. */
import { fields, instant, list, mapOf, named, nullable, type Schema, text, whole } from '../schema.ts'

const count = (description: string, example = 0): Schema => whole(description, example, { minimum: 0 })

export const remoteWriteBody: Schema = {
  type: 'string',
  format: 'binary',
  description:
    'prometheus.WriteRequest or, if proto=io.prometheus.write.v2.Request says so, that; compressed with Snappy (block format)',
}

export const lineProtocol = text(
  'Lines of the line protocol; tags are labels, the field `value` is the total',
  'project_vcpu_usage,location_id=8676,project_id=4711,project_name=BioVis value=1010.5 1767225600000000000\n',
)

/** A part of a push that could not be read or used. */
const pushError = fields(
  { message: text('Why', 'Expected a field "value"') },
  { line: count('Its number, in a text', 3) },
)

export const takenLines = fields({
  lines: count('Those that could be read, also if they cannot be used', 12),
  bad_lines: count('Those that could not, or whose value, labels or timestamp cannot be used', 1),
  first_bad_lines: list(pushError, { description: 'The first of them' }),
})

export const pushes = named(
  'Pushes',
  fields({
    protocol: text('Which', 'remote write'),
    last_push: nullable(instant('When the last one came')),
    last_success: nullable(instant('When the last that was taken came')),
    last_error: nullable(text('Why the last one was not taken', 'Expected Content-Encoding: snappy.')),
    taken: count('Pushes since the start', 12),
    refused: count('Those that were not taken'),
    samples: count('Samples of those that were taken', 480),
    readings: count('Those that can be charged', 24),
    rejected: mapOf(count('How many', 456), 'unlisted', 'Samples that were dropped, by reason'),
    stale_markers: count('Samples that say that a series has ended'),
    ignored: count('Histograms, exemplars and other fields'),
    errors: list(pushError, {
      description: 'The first of what could not be read or used, of the last push that had any',
    }),
  }),
)
