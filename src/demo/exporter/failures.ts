/** How the dummy exporter fails a scrape when it is told to. */

/**
 * Status 500; no answer at all; the connection is reset; the connection ends after half of the body; status 200 with
 * something that is no exposition.
 */
export const failModes = ['error', 'hang', 'reset', 'partial', 'garbage'] as const
export type FailMode = (typeof failModes)[number]

/** What a scraper gets from a broken proxy or a writer that was cut off: no line of it is a sample. */
export const garbage = `<html><head><title>Service temporarily unavailable</title></head></html>
project_vcpu_usage{project_id="p1",project_name="Bio
project_vcpu_usage{project_id="p1"} many
project_mb_usage{project_id=p1} 1.0
\u0000\u0001\ufffd
`

export const serverError = 'A server error occurred. Please contact the administrator.\n'
