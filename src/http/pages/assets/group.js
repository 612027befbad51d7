/**
 * Draws the charts of a group from the tables below them, and puts the receipt of a point that is chosen into the page.
 *
 * Whatever this does, the page can do without it: tables have the numbers, and their links lead to the receipts.
 */

/**
 * @typedef {object} Point A place on a chart.
 * @property {number} x Seconds since 1970.
 * @property {string} name Of the time it stands for.
 * @property {string} told What there is, in words, with all digits.
 * @property {string | undefined} receipt The address of its receipt.
 * @property {number} y Where it is pointed at.
 */

const scheme = matchMedia('(prefers-color-scheme: dark)')
const stillness = matchMedia('(prefers-reduced-motion: reduce)')

for (const figure of document.querySelectorAll('figure.chart')) showChart(figure)
document.addEventListener('click', (event) => {
  const link = event.target instanceof Element ? event.target.closest('a.receipt') : null
  if (link === null || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return
  event.preventDefault()
  showReceipt(link.getAttribute('href'))
})

/** @param {HTMLElement} figure */
async function showChart(figure) {
  const chart = figure.dataset.kind === 'left' ? readLeft(figure) : readStack(figure)
  if (chart === undefined) return
  const { default: uPlot } = await import(figure.dataset.uplot)
  const plot = figure.querySelector('.plot')
  plot.hidden = false
  let drawn = draw(uPlot, figure, plot, chart)
  new ResizeObserver(() => drawn.setSize(sizeOf(plot))).observe(plot)
  scheme.addEventListener('change', () => {
    drawn.destroy()
    drawn = draw(uPlot, figure, plot, chart)
  })
  choosePoints(plot, figure.querySelector('.readout'), chart.points, () => drawn)
}

// What tables say

function rowsOf(figure, which) {
  return [...figure.querySelectorAll(`details.${which} tbody tr`)].map((row) => ({
    name: row.querySelector('time').textContent,
    x: secondsOf(row.querySelector('time').dateTime),
    values: [...row.querySelectorAll('data:not(.correction)')].map(({ value }) => value),
    correction: row.querySelector('data.correction')?.value,
    receipt: row.querySelector('a.receipt')?.getAttribute('href'),
  }))
}

/** The curve of what is left (or was used), and what is expected to come. */
function readLeft(figure) {
  const { what, begin, lines } = figure.dataset
  const [start, level] = begin.split(' ')
  const past = rowsOf(figure, 'past')
  const ahead = rowsOf(figure, 'forecast')
  const known = new Map([[secondsOf(start), { curve: Number(level) }]])
  const points = []
  for (const { name, x, values, correction, receipt } of past) {
    known.set(x, { curve: Number(values[0]), correction })
    const told = `${values[0]} ${what}${correction === undefined ? '' : `, with a correction of ${correction}`}`
    points.push({ name, x, y: Number(values[0]), told, receipt })
  }
  for (const { name, x, values } of ahead) {
    const [expected, least, most] = values
    known.set(x, { ...known.get(x), expected: Number(expected), least: Number(least), most: Number(most) })
    const isAhead = points.every((point) => point.x < x)
    if (isAhead)
      points.push({ name, x, y: Number(expected), told: `${expected} ${what} expected, ${least} to ${most}` })
  }
  const xs = [...known.keys()].sort((a, b) => a - b)
  const column = (key) => xs.map((x) => known.get(x)[key])
  const marks = xs.filter((x) => known.get(x).correction !== undefined).map((x) => [x, known.get(x).curve])
  return {
    points,
    marks,
    lines: JSON.parse(lines).map(({ label, left }) => ({ label, y: Number(left) })),
    data: [xs, column('curve'), column('expected'), column('least'), column('most')],
    label: what === 'left' ? 'Credits left' : 'Credits used',
    isLeft: what === 'left',
  }
}

/** Bars on top of each other. */
function readStack(figure) {
  const parts = JSON.parse(figure.dataset.parts)
  if (parts.length === 0) return undefined
  const rows = rowsOf(figure, 'past')
  const ends = [...rows.slice(1).map(({ x }) => x), secondsOf(figure.dataset.end)]
  const points = rows.map(({ name, x, values, receipt }, index) => ({
    name,
    x: (x + ends[index]) / 2,
    y: values.reduce((sum, value) => sum + Number(value), 0),
    told: values.map((value, part) => `${parts[part]} ${value}`).join(', '),
    receipt,
  }))
  // The tallest bar is all of them; each next one lies before it and lacks the last part.
  const sums = parts.map((_, part) =>
    rows.map(({ values }) => values.slice(0, parts.length - part).reduce((sum, value) => sum + Number(value), 0)),
  )
  return {
    points,
    data: [points.map(({ x }) => x), ...sums],
    label: 'Credits charged',
    range: [rows[0].x, ends.at(-1)],
    parts,
  }
}

function secondsOf(text) {
  return Date.parse(text) / 1000
}

// What is drawn

/** Formats of ticks: a tick's distance, what stands there, and what stands below it where a year or a day begins. */
const ticks = [
  [3600 * 24 * 365, '{YYYY}', null, null, null, null, null, null, 1],
  [3600 * 24 * 28, '{YYYY}-{MM}', null, null, null, null, null, null, 1],
  [3600 * 24, '{MM}-{DD}', '\n{YYYY}', null, null, null, null, null, 1],
  [60, '{HH}:{mm}', '\n{YYYY}-{MM}-{DD}', null, '\n{MM}-{DD}', null, null, null, 1],
]

const DAY = 86_400
/** How far ticks may be apart: not closer than bars. */
const increments = {
  hour: undefined,
  day: [1, 2, 3, 5, 7, 10, 15, 30, 60, 90, 120, 180, 365, 730, 1825].map((days) => days * DAY),
  month: [30, 60, 90, 120, 180, 365, 730, 1825].map((days) => days * DAY),
}

function draw(uPlot, figure, plot, chart) {
  const style = getComputedStyle(document.documentElement)
  const color = (name) => style.getPropertyValue(`--${name}`).trim()
  const axis = {
    stroke: color('soft'),
    grid: { stroke: color('line'), width: 1 },
    ticks: { stroke: color('line'), width: 1 },
    font: '12px system-ui, sans-serif',
  }
  const own = chart.parts === undefined ? curveOf(chart, color) : barsOf(uPlot, chart, color)
  const options = {
    ...sizeOf(plot),
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), figure.dataset.zone),
    legend: { show: false },
    cursor: { drag: { x: false, y: false }, y: false, points: { size: 9 } },
    scales: { x: own.x, y: own.y },
    axes: [
      { ...axis, values: ticks, incrs: increments[figure.dataset.step], space: 60 },
      {
        ...axis,
        values: (_, splits) => splits.map((value) => value.toLocaleString('en-US').replaceAll(',', '\u202f')),
        size: (_, values) => 18 + 7 * Math.max(3, ...(values ?? []).map((text) => text.length)),
      },
    ],
    series: [{}, ...own.series],
    bands: own.bands,
    hooks: { draw: [(u) => own.draw?.(u)] },
  }
  return new uPlot(options, chart.data, plot)
}

function sizeOf(plot) {
  return { width: Math.max(200, plot.clientWidth), height: plot.clientWidth < 500 ? 230 : 272 }
}

function curveOf({ data, marks, lines, isLeft }, color) {
  const known = [data[1], data[2], data[4]].flat().filter((value) => value !== undefined)
  const [least, most] = [Math.min(...known), Math.max(...known)]
  const [low, high] = isLeft ? [Math.min(0, ...data[1].filter((value) => value !== undefined)), most] : [least, most]
  const margin = (high - low || 1) * 0.06
  const thin = { width: 1, stroke: 'transparent', points: { show: false } }
  return {
    x: { range: (_, min, max) => (min === max ? [min - 3600, max + 3600] : [min, max]) },
    y: { range: () => [low === 0 ? 0 : low - margin, high + margin] },
    series: [
      { stroke: color('part-0'), width: 2.5, points: { show: false } },
      { stroke: color('part-1'), width: 2, dash: [6, 5], points: { show: false } },
      thin,
      thin,
    ],
    bands: [{ series: [4, 3], fill: `${color('part-1')}38` }],
    draw: (u) => {
      drawLines(u, lines, color('bad'), color('text'))
      drawMarks(u, marks, color('part-3'))
    },
  }
}

/** Where parts of the grant are used. */
function drawLines(u, lines, stroke, text) {
  const { ctx, bbox } = u
  ctx.save()
  ctx.lineWidth = devicePixelRatio
  ctx.setLineDash([2 * devicePixelRatio, 4 * devicePixelRatio])
  ctx.font = `${12 * devicePixelRatio}px system-ui, sans-serif`
  ctx.textAlign = 'left'
  ctx.textBaseline = 'alphabetic'
  for (const { label, y } of lines) {
    const height = u.valToPos(y, 'y', true)
    if (height < bbox.top - 1 || height > bbox.top + bbox.height + 1) continue
    ctx.strokeStyle = stroke
    ctx.beginPath()
    ctx.moveTo(bbox.left, height)
    ctx.lineTo(bbox.left + bbox.width, height)
    ctx.stroke()
    ctx.fillStyle = text
    ctx.fillText(`${label} used`, bbox.left + 6 * devicePixelRatio, height - 4 * devicePixelRatio)
  }
  ctx.restore()
}

function drawMarks(u, marks, fill) {
  const { ctx } = u
  const size = 5 * devicePixelRatio
  ctx.save()
  ctx.fillStyle = fill
  for (const [x, y] of marks) {
    const [left, top] = [u.valToPos(x, 'x', true), u.valToPos(y, 'y', true)]
    ctx.beginPath()
    ctx.moveTo(left, top - size)
    ctx.lineTo(left + size, top)
    ctx.lineTo(left, top + size)
    ctx.lineTo(left - size, top)
    ctx.fill()
  }
  ctx.restore()
}

function barsOf(uPlot, { parts, range }, color) {
  const paths = uPlot.paths.bars({ size: [0.85, 140] })
  return {
    x: { range: () => range },
    y: { range: (_, __, max) => [0, (max || 1) * 1.06] },
    series: parts.map((_, part) => {
      const fill = color(`part-${(parts.length - 1 - part) % 8}`)
      return { fill, stroke: fill, width: 0, paths, points: { show: false } }
    }),
  }
}

// What is chosen

/**
 * Points are chosen with a pointer or with arrows, Home and End; a click or Enter shows the receipt. For a screen reader it
 * is a slider from point to point.
 *
 * @param {HTMLElement} plot
 * @param {HTMLElement} readout
 * @param {Point[]} points
 */
function choosePoints(plot, readout, points, chart) {
  let chosen = points.findLastIndex(({ receipt }) => receipt !== undefined)
  const caption = plot.closest('section').querySelector('h2').textContent
  for (const [name, value] of [
    ['role', 'slider'],
    ['tabindex', '0'],
    ['aria-label', `${caption}: a point of the chart. Enter shows its receipt.`],
    ['aria-valuemin', '0'],
    ['aria-valuemax', String(points.length - 1)],
  ])
    plot.setAttribute(name, value)

  const choose = (index) => {
    chosen = Math.max(0, Math.min(points.length - 1, index))
    const { name, told, receipt } = points[chosen]
    const text = `${name}: ${told}`
    plot.setAttribute('aria-valuenow', String(chosen))
    plot.setAttribute('aria-valuetext', text)
    readout.textContent = `${text}${receipt === undefined ? '' : ' · a click shows the receipt'}`
  }
  const move = (index) => {
    choose(index)
    const { x, y } = points[chosen]
    const u = chart()
    u.setCursor({ left: u.valToPos(x, 'x'), top: u.valToPos(y, 'y') })
  }
  const nearest = ({ clientX }) => {
    const u = chart()
    const x = u.posToVal(clientX - u.over.getBoundingClientRect().left, 'x')
    return points.reduce(
      (best, point, index) => (Math.abs(point.x - x) < Math.abs(points[best].x - x) ? index : best),
      0,
    )
  }
  choose(chosen)
  readout.hidden = false
  plot.addEventListener('pointermove', (event) => choose(nearest(event)))
  plot.addEventListener('click', (event) => {
    choose(nearest(event))
    showReceipt(points[chosen].receipt)
  })
  plot.addEventListener('focus', () => plot.matches(':focus-visible') && move(chosen))
  plot.addEventListener('keydown', (event) => {
    const steps = { ArrowLeft: chosen - 1, ArrowDown: chosen - 1, ArrowRight: chosen + 1, ArrowUp: chosen + 1 }
    const target = { ...steps, Home: 0, End: points.length - 1, Enter: chosen }[event.key]
    if (target === undefined) return
    event.preventDefault()
    if (event.key === 'Enter') showReceipt(points[chosen].receipt)
    else move(target)
  })
}

/** Puts a receipt into the page. @param {string | null | undefined} address `undefined` of what is only expected. */
async function showReceipt(address) {
  if (address === undefined || address === null) return
  const url = new URL(address, location.href)
  url.searchParams.set('only', 'receipt')
  url.hash = ''
  const answer = await fetch(url).catch(() => undefined)
  const page = answer?.ok ? new DOMParser().parseFromString(await answer.text(), 'text/html') : undefined
  const receipt = page?.getElementById('receipt')
  // Whatever is wrong: where the link leads, it is told.
  if (!receipt) return location.assign(address)
  document.getElementById('receipt').replaceWith(receipt)
  history.replaceState(null, '', address)
  receipt.focus({ preventScroll: true })
  receipt.scrollIntoView({ behavior: stillness.matches ? 'auto' : 'smooth' })
}
