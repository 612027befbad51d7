/** What parsers of npm that bring no types have of interest here. */
declare module 'exposition' {
  const exposition: { parse(text: string): readonly unknown[] }
  export default exposition
}
declare module 'parse-prometheus-text-format' {
  export default function parsePrometheusTextFormat(text: string): readonly unknown[]
}
