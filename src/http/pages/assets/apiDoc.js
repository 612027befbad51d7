/** Sends the requests that people try on the description of the API, and shows what is answered. */
const key = document.getElementById('key')
document.getElementById('key-card').hidden = false

for (const form of document.querySelectorAll('form.try')) {
  form.hidden = false
  form.addEventListener('submit', async (event) => {
    event.preventDefault()
    const button = form.querySelector('button')
    button.disabled = true
    try {
      show(form, await send(form))
    } catch (error) {
      show(form, { head: 'No answer', text: error.message, isGood: false })
    } finally {
      button.disabled = false
    }
  })
}

for (const button of document.querySelectorAll('button.use')) {
  button.hidden = false
  button.addEventListener('click', () => {
    const body = button.closest('.operation').querySelector('textarea')
    body.value = button.closest('figure').querySelector('pre').textContent
    body.focus()
  })
}

async function send(form) {
  const fields = [...form.querySelectorAll('input')]
  const given = (place) => fields.filter((field) => field.dataset.in === place && field.value !== '')
  const path = given('path').reduce(
    (text, { name, value }) =>
      text.replace(`{${name}}`, encodeURIComponent(/^\.{1,2}\/*$/.test(value) ? `${value}/` : value)),
    form.dataset.path,
  )
  const query = new URLSearchParams(given('query').map(({ name, value }) => [name, value])).toString()
  const address = query === '' ? path : `${path}?${query}`
  const body = form.querySelector('textarea')?.value
  const answer = await fetch(address, {
    method: form.dataset.method,
    headers: {
      Accept: 'application/json',
      ...(key.value !== '' && { 'X-API-KEY': key.value }),
      ...(body !== undefined && { 'Content-Type': 'application/json' }),
    },
    body,
    cache: 'no-store',
  })
  const text = await answer.text()
  const head = `${form.dataset.method} ${address} → ${answer.status} ${answer.statusText}`
  return { head, text: indented(text, answer.headers.get('Content-Type') ?? ''), isGood: answer.ok }
}

/** JSON on several lines. Numbers keep their digits; a browser that would change them shows the text as it came. */
function indented(text, type) {
  if (!type.includes('json') || JSON.rawJSON === undefined) return text
  const exact = (_key, value, { source }) => (typeof value === 'number' ? JSON.rawJSON(source) : value)
  return JSON.stringify(JSON.parse(text, exact), null, 2)
}

function show(form, { head, text, isGood }) {
  const line = document.createElement('p')
  line.className = `notice ${isGood ? 'good' : 'bad'}`
  line.textContent = head
  const body = document.createElement('pre')
  body.tabIndex = 0
  body.textContent = text
  form.querySelector('.result').replaceChildren(line, ...(text === '' ? [] : [body]))
}

// A link to a part of an operation that is closed opens it.
function openTarget() {
  const target = document.getElementById(location.hash.slice(1))
  if (target instanceof HTMLDetailsElement) target.open = true
}
addEventListener('hashchange', openTarget)
openTarget()
