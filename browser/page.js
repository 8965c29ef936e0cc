// What a page does to have fetched what its HTML does not name. It runs in the page before
// anything else does; objects are the exchanges of the workload, by number.
(() => {
  if (window !== window.top) return
  const objects = OBJECTS
  const here = objects.findIndex(o => o.url === location.href)
  if (here < 0) return
  if (objects[here].next) {
    location.replace(objects[objects[here].next].url)
    return
  }
  const children = objects.map(() => [])
  objects.forEach((o, i) => { if (o.parent >= 0 && !o.named) children[o.parent].push(i) })
  const kept = [] // elements that nothing else refers to
  const asked = new Set()

  // come says that so much of an object's content has.
  function come(i, bytes) {
    for (const j of children[i]) if (!asked.has(j) && objects[j].at <= bytes) ask(j)
  }
  function ended(i) { come(i, Infinity) }

  function ask(j) {
    asked.add(j)
    const o = objects[j]
    const element = {image: 'img', style: 'link', script: 'script'}[o.how]
    if (!element) return get(j, o)
    const e = document.createElement(element)
    e.onload = e.onerror = () => ended(j)
    if (o.how === 'style') {
      e.rel = 'stylesheet'
      e.href = o.url
    } else {
      e.src = o.url
    }
    if (o.how === 'image') kept.push(e)
    else document.documentElement.append(e)
  }

  async function get(j, o) {
    try {
      // A font is asked for as style sheets do: without credentials where it is another origin's.
      const response = await fetch(o.url, {
        method: o.method, redirect: 'manual', credentials: o.how === 'font' ? 'same-origin' : 'include',
        body: o.body ? new Uint8Array(o.body) : undefined,
      })
      let n = 0
      come(j, n)
      const from = response.body && response.body.getReader()
      for (let part; from && !(part = await from.read()).done;) come(j, n += part.value.length)
    } catch {} // DevTools tell why
    ended(j)
  }

  const named = new Map()
  objects.forEach((o, i) => { if (o.named) named.set(o.url, i) })
  for (const event of ['load', 'error']) {
    document.addEventListener(event, e => {
      const i = named.get(e.target.src || e.target.href)
      if (i !== undefined) ended(i)
    }, true)
  }
  // The script runs before there is an element to append to.
  const begun = new MutationObserver(() => {
    if (!document.documentElement) return
    begun.disconnect()
    come(here, 0)
  })
  begun.observe(document, {childList: true})
  document.addEventListener('readystatechange', () => { if (document.readyState === 'interactive') ended(here) })
})()
