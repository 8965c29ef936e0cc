// Controls, one for each axis of the grid of predictions: what they show is read from its row.
(() => {
  'use strict';
  const $ = id => document.getElementById('what-if-' + id);
  const idle = $('idle'), connections = $('connections'), order = $('order'), h2 = $('h2');
  if (!idle) return;
  const rows = [...document.querySelectorAll('[id^="what-if-row-"]')], fields = [...document.querySelectorAll('#what-if-figures dd')];
  const names = e => e.dataset.names.split('|');
  const orders = order.options.length, block = names(connections).length * orders + 1; // HTTP/2 is the last of an idle time
  const at = () => rows[idle.value * block + (h2.checked ? block - 1 : connections.value * orders + +order.value)];
  const set = n => {
    const rest = n % block;
    idle.value = Math.floor(n / block);
    h2.checked = rest === block - 1;
    if (!h2.checked) { connections.value = Math.floor(rest / orders); order.value = rest % orders; }
  };
  // A figure of the setting beside that of the recording, and how they compare as lengths.
  const figures = cells => [[cells[1], cells[2]], [cells[3]], [cells[4], cells[5]], [cells[6]]];
  const choose = () => {
    for (const e of [idle, connections]) {
      const name = names(e)[e.value];
      $(e.id.slice(8) + '-name').textContent = name;
      e.setAttribute('aria-valuetext', name);
    }
    connections.disabled = order.disabled = h2.checked;
    const cells = [...at().cells].map(c => c.textContent.trim());
    $('name').textContent = '--what-if ' + cells[0];
    figures(cells).forEach(([is, was], i) => {
      fields[i].textContent = is || '–';
      if (!was) return;
      const beside = document.createElement('span');
      beside.className = 'note';
      beside.textContent = ' instead of ' + was;
      fields[i].append(beside);
    });
    return cells;
  };
  let telling = 0;
  for (const e of [idle, connections, order, h2]) e.addEventListener('input', () => {
    const cells = choose();
    window.linger.keep('what-if', { setting: cells[0] });
    clearTimeout(telling);
    telling = setTimeout(() => { document.getElementById('said').textContent = cells[1] + ' connections instead of ' + cells[2]; }, 400);
  });
  window.linger.watch(state => {
    const n = rows.findIndex(row => row.cells[0].textContent.trim() === state.get('setting'));
    if (n >= 0) set(n);
    choose();
  });
})();

(async () => {
  'use strict';
  const $ = id => document.getElementById('lanes-' + id);
  const source = $('data');
  if (!source || typeof DecompressionStream === 'undefined') return; // the drawing that needs no script stays
  const began = performance.now();

  // The data: a head in JSON behind its length, then columns of numbers in groups of 7 bits.
  const packed = Uint8Array.from(atob(source.textContent), c => c.charCodeAt(0));
  source.remove();
  const raw = new Uint8Array(await new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream('deflate-raw'))).arrayBuffer());
  const headed = new DataView(raw.buffer).getUint32(0, true);
  const head = JSON.parse(new TextDecoder().decode(raw.subarray(4, 4 + headed)));
  let at = 4 + headed;
  const number = () => {
    let n = 0, scale = 1, b;
    do { b = raw[at++]; n += (b & 127) * scale; scale *= 128; } while (b > 127);
    return n;
  };
  const unfold = n => n % 2 ? -(n + 1) / 2 : n / 2;
  const column = of => { const out = new Float64Array(head.singles); for (let i = 0; i < out.length; i++) out[i] = of(number(), i); return out; };
  const plain = n => n, unknown = n => n ? (n - 1) / 1000 : NaN;
  const since = () => { let sum = 0; return n => sum += unfold(n); };
  const one = { id: column(since()) };
  one.opened = column(since()).map(n => n / 1000);
  for (const [name, of] of [['lasted', unknown], ['origin', plain], ['client', plain], ['host', plain], ['port', plain], ['server', plain], ['name', plain], ['kind', plain],
    ['certainty', plain], ['flags', plain], ['closedBy', plain], ['closedWith', plain], ['end', plain], ['requests', plain], ['waiting', unknown], ['stream', plain], ['spoken', plain],
    ['frame', plain], ['closedFrame', plain], ['before', plain], ['gap', unknown], ['synack', unknown], ['established', unknown], ['secured', unknown], ['announced', unknown],
    ['announcedBy', plain], ['kept', plain], ['left', plain]]) one[name] = column(of);
  const first = new Uint32Array(head.singles + 1); // where its exchanges begin
  for (let i = 0; i < head.singles; i++) first[i + 1] = first[i] + one.kept[i];
  const ask = { sent: new Float64Array(head.exchanges), first: new Float64Array(head.exchanges), done: new Float64Array(head.exchanges) };
  for (let i = 0; i < head.singles; i++) {
    let last = one.opened[i];
    for (let x = first[i]; x < first[i + 1]; x++) {
      for (const name of ['sent', 'first', 'done']) {
        const n = number();
        ask[name][x] = n ? last += unfold(n - 1) / 1000 : NaN;
      }
    }
  }
  for (const name of ['text', 'status', 'bytes', 'inferred']) {
    ask[name] = new Float64Array(head.exchanges);
    for (let x = 0; x < head.exchanges; x++) ask[name][x] = number();
  }
  const text = i => head.texts[i];
  const kinds = head.kinds;
  // Sums from the beginning on, so that what lies between two bins is a difference.
  const sums = () => {
    const n = number(), out = new Float64Array(head.bins + 1);
    for (let i = 0; i < head.bins; i++) out[i + 1] = out[i] + (i < n ? number() : 0);
    return out;
  };
  const binned = lanes => { for (const lane of lanes) { lane.opened = new Map(); for (let n = number(); n > 0; n--) { const kind = number(); lane.opened.set(kind, sums()); } lane.closed = sums(); } };
  if (!head.whole) { binned(head.origins); binned(head.clients); }
  const end = Math.max(head.ended, 0.001), stillOpen = 1, overUDP = 2, beganBefore = 16;
  const ends = i => isNaN(one.lasted[i]) ? end : one.opened[i] + one.lasted[i];

  const clean = n => (+n.toPrecision(4)).toString();
  const time = ms => ms === 0 ? '0' : Math.abs(ms) < 1 ? clean(ms * 1000) + ' µs' : Math.abs(ms) < 1000 ? clean(ms) + ' ms' : Math.abs(ms) < 120e3 ? clean(ms / 1000) + ' s' : Math.abs(ms) < 7200e3 ? clean(ms / 60e3) + ' min' : clean(ms / 3600e3) + ' h';
  const count = n => String(Math.round(n));
  const many = (n, noun) => count(n) + ' ' + noun + (n === 1 ? '' : 's');
  const address = i => text(one.host[i]) + (one.port[i] ? ':' + one.port[i] : '');
  const called = i => one.stream[i] ? (one.flags[i] & overUDP ? 'udp' : 'tcp') + '.stream ' + (one.stream[i] - 1) : 'connection ' + one.id[i];

  // What is chosen: filters, which time, which connection.
  const state = { by: 'origin', origin: -1, client: -1, off: new Set(), avoidable: '', text: '', mode: '', from: 0, to: end, one: -1 };
  const page = window.linger;
  const box = $('box'), canvas = $('canvas'), room = $('room'), ink = canvas.getContext('2d');
  const tip = document.getElementById('tip'), said = document.getElementById('said');
  const AXIS = 24, HEAD = 18, COUNTS = 54, ROW = 13;
  let shown = [], rows = new Int32Array(0), lanes = [], drawn = [], fits = '';

  const wants = kind => !state.off.has(kind) && (!state.avoidable || kinds[kind].avoidable === (state.avoidable === 'yes'));
  const holds = i => {
    if (!state.text) return true;
    const has = [called(i), address(i), text(one.server[i]), text(one.name[i]), head.origins[one.origin[i]].name, kinds[one.kind[i]].label, kinds[one.kind[i]].code, text(one.spoken[i]), text(one.closedBy[i]) + ' ' + text(one.closedWith[i])];
    for (let x = first[i]; x < first[i + 1]; x++) if (ask.text[x]) has.push(text(ask.text[x]) + ' ' + ask.status[x]);
    return has.join(' ').toLowerCase().includes(state.text);
  };
  // Whether bins say what is asked for: they are by origin or by client, and not by both.
  const counted = () => !head.whole && !state.text && (state.by === 'origin' ? state.client < 0 : state.origin < 0);
  const chooseShown = () => {
    shown = [];
    for (let i = 0; i < head.singles; i++) {
      if (wants(one.kind[i]) && (state.origin < 0 || one.origin[i] === state.origin) && (state.client < 0 || one.client[i] === state.client) && holds(i)) shown.push(i);
    }
    const all = state.by === 'origin' ? head.origins : head.clients, only = state[state.by];
    const members = all.map(() => []);
    for (const i of shown) members[one[state.by][i]].push(i);
    lanes = all.map((lane, k) => ({ lane, k, list: members[k] })).filter(l => only < 0 ? l.list.length || counted() : l.k === only);
    // Each connection has the first row of its lane that is free.
    rows = new Int32Array(head.singles);
    for (const l of lanes) {
      const free = [];
      for (const i of l.list) {
        let r = 0;
        while (r < free.length && free[r] > one.opened[i]) r++;
        free[r] = ends(i) + (end / 2000);
        rows[i] = r;
      }
    }
    if (state.one >= 0 && !shown.includes(state.one)) choose(-1);
  };
  const inView = i => one.opened[i] <= state.to && ends(i) >= state.from;

  // Colours are the page's own, textures tell causes of one family apart, letters say which it is.
  let colour = {}, patterns = [];
  const textures = [
    () => {}, (c, s) => { for (let k = -s; k <= 2 * s; k += 4) { c.moveTo(k, 0); c.lineTo(k + s, s); } }, (c, s) => { for (let k = -s; k <= 2 * s; k += 4) { c.moveTo(k, s); c.lineTo(k + s, 0); } },
    (c, s) => { for (let k = 1.5; k < s; k += 4) { c.moveTo(0, k); c.lineTo(s, k); } }, (c, s) => { for (let k = 1.5; k < s; k += 4) { c.moveTo(k, 0); c.lineTo(k, s); } },
    (c, s) => { for (let x = 1; x < s; x += 4) for (let y = 1; y < s; y += 4) { c.moveTo(x, y); c.lineTo(x + 1.5, y); } },
    (c, s) => { for (let k = 1.5; k < s; k += 4) { c.moveTo(0, k); c.lineTo(s, k); c.moveTo(k, 0); c.lineTo(k, s); } }, (c, s) => { for (let k = 3; k < s; k += 8) { c.moveTo(k, 0); c.lineTo(k, s); } },
  ];
  const paint = () => {
    for (const name of ['paper', 'ink', 'soft', 'line', 'off', 'on', 'tcp', 'receive', 'wash', 'fail']) {
      box.style.color = 'var(--' + name + ')';
      colour[name] = getComputedStyle(box).color;
    }
    box.style.color = '';
    const family = { client: colour.on, server: colour.tcp, both: colour.receive, none: colour.off };
    patterns = kinds.map(k => {
      const tile = document.createElement('canvas'), s = tile.width = tile.height = 8, c = tile.getContext('2d');
      c.fillStyle = family[k.family];
      c.fillRect(0, 0, s, s);
      c.strokeStyle = colour.paper;
      c.lineWidth = 1.1;
      c.beginPath();
      textures[k.pattern % textures.length](c, s);
      c.stroke();
      return ink.createPattern(tile, 'repeat');
    });
    for (const e of $('legend').querySelectorAll('canvas')) {
      const c = e.getContext('2d');
      c.fillStyle = patterns[e.dataset.kind];
      c.fillRect(0, 0, e.width, e.height);
    }
  };

  const scaleOf = width => ({ x: t => (t - state.from) / (state.to - state.from) * width, t: x => state.from + x / width * (state.to - state.from) });
  // Steps of an axis: 1, 2 or 5, and from a second on what clocks have.
  const clock = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200].map(s => 1000 * s);
  const stepOf = (span, room) => {
    const rough = span / room, ten = 10 ** Math.floor(Math.log10(rough)), day = 24 * 3600e3;
    return rough > 1000 ? clock.find(s => s >= rough) ?? Math.ceil(rough / day) * day : [1, 2, 5, 10].map(n => n * ten).find(n => n >= rough);
  };

  // How many connections were opened in each column of a lane, by kind, and how many were open.
  const columnsOf = (l, width) => {
    const least = 4 * (state.to - state.from) / width;
    const wide = counted() ? Math.max(1, Math.ceil(least / head.width)) * head.width : least;
    const begin = Math.floor(state.from / wide), n = Math.ceil(state.to / wide) - begin + 1;
    const opened = new Map(), level = new Float64Array(n), most = { opened: 1, level: 1 };
    if (counted()) {
      const bin = k => Math.max(0, Math.min(head.bins, Math.round((begin + k) * wide / head.width)));
      for (const [kind, sum] of l.lane.opened) {
        if (!wants(kind)) continue;
        const list = new Float64Array(n);
        for (let k = 0; k < n; k++) list[k] = sum[bin(k + 1)] - sum[bin(k)];
        opened.set(kind, list);
      }
      // Which of those that ended were of which kind is not kept.
      if (!state.off.size && !state.avoidable) for (let k = 0; k < n; k++) { let sum = -l.lane.closed[bin(k)]; for (const s of l.lane.opened.values()) sum += s[bin(k + 1)]; level[k] = sum; }
    } else {
      const change = new Float64Array(n + 1);
      for (const i of l.list) {
        if (one.opened[i] > state.to) break;
        const last = ends(i);
        if (last < begin * wide) continue;
        const from = Math.floor(one.opened[i] / wide) - begin, until = Math.floor(last / wide) - begin + 1;
        change[Math.max(0, from)]++;
        if (until <= n) change[until]--;
        if (from < 0 || from >= n) continue;
        if (!opened.has(one.kind[i])) opened.set(one.kind[i], new Float64Array(n));
        opened.get(one.kind[i])[from]++;
      }
      let sum = 0;
      for (let k = 0; k < n; k++) level[k] = sum += change[k];
    }
    for (let k = 0; k < n; k++) {
      let sum = 0;
      for (const list of opened.values()) sum += list[k];
      most.opened = Math.max(most.opened, sum);
      most.level = Math.max(most.level, level[k]);
    }
    return { begin, n, wide, opened, level, most };
  };

  const drawCounts = (l, y, width, x) => {
    const c = columnsOf(l, width), base = y + HEAD + COUNTS - 6, high = COUNTS - 10;
    ink.beginPath();
    for (let k = 0; k < c.n; k++) {
      const to = base - c.level[k] / c.most.level * high, left = x((c.begin + k) * c.wide);
      k ? ink.lineTo(left, to) : ink.moveTo(left, to);
      ink.lineTo(x((c.begin + k + 1) * c.wide), to);
    }
    ink.strokeStyle = colour.soft;
    ink.lineWidth = 1;
    ink.stroke();
    const order = [...c.opened.keys()].sort((a, b) => kinds[b].avoidable - kinds[a].avoidable || a - b);
    let total = 0;
    for (let k = 0; k < c.n; k++) {
      const left = x((c.begin + k) * c.wide), right = x((c.begin + k + 1) * c.wide);
      let foot = base;
      for (const kind of order) {
        const n = c.opened.get(kind)[k];
        if (!n) continue;
        total += n;
        const tall = Math.max(1, n / c.most.opened * high);
        ink.fillStyle = patterns[kind];
        ink.fillRect(left, foot - tall, Math.max(1, right - left - 0.6), tall);
        foot -= tall;
      }
    }
    ink.fillStyle = colour.line;
    ink.fillRect(0, base, width, 1);
    ink.fillStyle = colour.soft;
    ink.textAlign = 'right';
    const peak = 'opened: up to ' + count(c.most.opened) + ' in ' + time(c.wide) + (c.level.some(v => v) ? '; line, open: up to ' + count(c.most.level) : '');
    const beside = ink.measureText(l.lane.name).width + 30;
    if (ink.measureText(peak).width < width - beside) ink.fillText(peak, width - 4, y + 13);
    ink.textAlign = 'left';
    return total;
  };

  const drawSingles = (l, y, width, x, top, bottom) => {
    for (const i of l.list) {
      if (!inView(i)) continue;
      const r = l.place.get(rows[i]), from = y + HEAD + r * ROW;
      if (from + ROW < top || from > bottom) continue;
      const left = Math.max(-3, x(one.opened[i])), right = Math.min(width + 3, x(ends(i))), wide = Math.max(2, right - left);
      ink.fillStyle = patterns[one.kind[i]];
      ink.fillRect(left, from + 1, wide, ROW - 3);
      let last = -9, room = wide > 24 ? left : NaN; // where the letter has room between requests
      ink.fillStyle = colour.ink;
      for (let k = first[i]; k < first[i + 1]; k++) {
        const sent = isNaN(ask.sent[k]) ? ask.first[k] : ask.sent[k];
        if (isNaN(sent) || sent > state.to) continue;
        const a = x(sent), b = x(isNaN(ask.done[k]) ? sent : ask.done[k]);
        if (a < room + 12 && b > room - 1) room = Math.max(b, a + 1) + 1;
        if (b < -2 || b - last < 0.7) continue;
        last = Math.max(b, a + 1);
        ink.fillRect(Math.max(a, -2), from + 4, Math.max(1, b - a), ROW - 9);
      }
      if (room + 12 <= right) {
        ink.fillStyle = colour.paper;
        ink.fillRect(room, from + 1, 11, ROW - 3);
        ink.fillStyle = colour.ink;
        ink.fillText(kinds[one.kind[i]].letter, room + 2, from + 10);
      }
      if (i === state.one) {
        ink.strokeStyle = colour.ink;
        ink.lineWidth = 2;
        ink.strokeRect(left - 1, from, wide + 2, ROW - 1);
      }
      drawn.push({ i, left: left - 2, right: left + wide + 2, top: from, bottom: from + ROW });
    }
  };

  // Rows that have a connection in view, one below the other.
  const layOut = singles => {
    let y = AXIS;
    for (const l of lanes) {
      l.y = y;
      if (singles) {
        const used = new Set();
        for (const i of l.list) if (inView(i)) used.add(rows[i]);
        l.place = new Map([...used].sort((a, b) => a - b).map((r, k) => [r, k]));
        y += HEAD + Math.max(1, used.size) * ROW + 6;
      } else y += HEAD + COUNTS;
    }
    return y;
  };

  const draw = () => {
    const width = box.clientWidth, ratio = devicePixelRatio || 1;
    let n = 0;
    for (const i of shown) n += inView(i);
    const singles = state.mode ? state.mode === 'singles' : n <= (head.whole ? 1200 : 300);
    const total = layOut(singles), most = innerWidth < 740 ? 352 : 416;
    const height = Math.max(90, Math.min(total + 2, most));
    if (box.offsetHeight !== height + 2) box.style.height = height + 2 + 'px';
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
      canvas.style.height = height + 'px';
    }
    room.style.height = Math.max(0, total - height) + 'px';
    const scroll = Math.min(box.scrollTop, Math.max(0, total - height)), { x } = scaleOf(width);
    ink.setTransform(ratio, 0, 0, ratio, 0, 0);
    ink.fillStyle = colour.paper;
    ink.fillRect(0, 0, width, height);
    ink.font = '11px ' + getComputedStyle(document.body).fontFamily;
    drawn = [];
    const step = stepOf(state.to - state.from, Math.max(2, width / 110));
    for (let k = Math.ceil(state.from / step); k * step <= state.to; k++) {
      ink.fillStyle = colour.line;
      ink.fillRect(Math.round(x(k * step)), AXIS - 6, 1, height);
    }
    let opened = 0;
    for (const l of lanes) {
      const y = l.y - scroll, next = y + HEAD + (singles ? Math.max(1, l.place.size) * ROW + 6 : COUNTS);
      if (next < AXIS || y > height) continue;
      if (singles) drawSingles(l, y, width, x, AXIS - ROW, height); else opened += drawCounts(l, y, width, x);
      ink.font = '600 11px ' + getComputedStyle(document.body).fontFamily;
      const name = l.lane.name.length * 6.4 > width * 0.55 ? l.lane.name.slice(0, Math.floor(width * 0.55 / 6.4)) + '…' : l.lane.name;
      ink.fillStyle = colour.paper;
      ink.fillRect(0, y + 2, ink.measureText(name).width + 8, HEAD - 4);
      ink.fillStyle = colour.ink;
      ink.fillText(name, 4, y + 13);
      ink.font = '11px ' + getComputedStyle(document.body).fontFamily;
    }
    if (!lanes.length || !(n || opened)) {
      ink.fillStyle = colour.soft;
      ink.fillText('No connection here: widen the time or the filters.', 8, AXIS + 30);
    }
    ink.fillStyle = colour.paper;
    ink.fillRect(0, 0, width, AXIS - 4);
    ink.fillStyle = colour.soft;
    for (let k = Math.ceil(state.from / step); k * step <= state.to; k++) {
      const label = time(k * step), at = x(k * step), wide = ink.measureText(label).width;
      ink.fillText(label, Math.max(2, Math.min(width - wide - 2, at - wide / 2)), 14);
    }
    fits = singles ? 'singly' : 'counts';
    const key = [singles, n, state.from, state.to].join();
    if (key !== draw.key) { draw.key = key; later(() => tell(n, singles)); }
  };
  let frame = 0, timer = 0;
  const redraw = () => { frame ||= requestAnimationFrame(() => { frame = 0; draw(); }); };
  const later = f => { clearTimeout(timer); timer = setTimeout(f, 120); };

  // The same in words and as a table.
  const tell = (n, singles) => {
    $('window').textContent = time(state.from) + ' to ' + time(state.to) + ' of ' + time(end);
    let sum = n, avoidable = 0;
    const list = shown.filter(inView);
    for (const i of list) avoidable += kinds[one.kind[i]].avoidable;
    const what = ['In view: ' + many(n, 'connection') + (head.whole ? '' : ' kept singly') + ', ' + count(avoidable) + ' of them avoidable'];
    if (counted()) {
      let all = 0, could = 0;
      const bin = t => Math.max(0, Math.min(head.bins, t / head.width));
      for (const l of lanes) for (const [kind, s] of l.lane.opened) if (wants(kind)) {
        const got = s[Math.ceil(bin(state.to))] - s[Math.floor(bin(state.from))];
        all += got;
        if (kinds[kind].avoidable) could += got;
      }
      what.unshift('Opened in view, of all: ' + many(all, 'connection') + ', ' + count(could) + ' avoidable');
    } else if (!head.whole) what.push('counted are those kept singly alone, as these filters ask for more than the counts know');
    what.push('drawn ' + (singles ? 'singly: a bar is a connection, the marks in it are its requests' : 'as counts: bars are connections opened, the line those open'));
    $('status').textContent = what.join('; ') + '.';
    $('rows').replaceChildren(...list.slice(0, 200).map(i => {
      const row = document.createElement('tr');
      const cells = [time(one.opened[i]), called(i), address(i), text(one.name[i]) || text(one.server[i]), kinds[one.kind[i]].label, count(one.requests[i]), isNaN(one.lasted[i]) ? '–' : time(one.lasted[i]), ended(i)];
      cells.forEach((t, k) => {
        const cell = document.createElement(k ? 'td' : 'th');
        if (!k) cell.scope = 'row';
        if ([1, 2, 3, 4, 7].includes(k)) cell.className = 'l';
        cell.textContent = t;
        row.append(cell);
      });
      return row;
    }));
  };
  const ended = i => one.flags[i] & stillOpen ? 'open at the end' : [text(one.closedBy[i]), text(one.closedWith[i])].filter(Boolean).join(', ') || 'not known';

  // One connection: its messages in their order, as they were seen.
  const messagesOf = i => {
    const out = [], t0 = one.opened[i], udp = one.flags[i] & overUDP;
    const say = (t, who, what, kind) => { if (!isNaN(t)) out.push({ t, who, what, kind, n: out.length }); };
    one.flags[i] & beganBefore ? say(t0, '', 'first seen; it was open before', 'note') : say(t0, 'client', udp ? 'first packet' : 'SYN', 'tcp');
    say(t0 + one.synack[i], 'server', 'SYN-ACK', 'tcp');
    say(t0 + one.established[i], 'client', udp ? 'handshake done' : 'ACK, TCP’s handshake done', 'tcp');
    say(t0 + one.secured[i], '', 'handshake of TLS done', 'tls');
    for (let k = first[i]; k < first[i + 1]; k++) {
      const n = k - first[i] + 1, inferred = ask.inferred[k] ? ' (inferred)' : '';
      say(ask.sent[k], 'client', 'request ' + n + (ask.text[k] ? ' ' + text(ask.text[k]) : '') + inferred, 'asked');
      const status = ask.status[k] ? ' ' + ask.status[k] : '', bytes = ask.bytes[k] ? ', ' + count(ask.bytes[k]) + ' bytes' : '';
      if (ask.done[k] - ask.first[k] > 1) {
        say(ask.first[k], 'server', 'response ' + n + status + ' begins', '');
        say(ask.done[k], 'server', 'response ' + n + ' ends' + bytes, '');
      } else say(isNaN(ask.done[k]) ? ask.first[k] : ask.done[k], 'server', 'response ' + n + status + (isNaN(ask.done[k]) ? ' begins, and is not seen to end' : bytes), '');
    }
    say(t0 + one.announced[i], text(one.announcedBy[i]), 'announces that it will close', 'closing');
    if (one.flags[i] & stillOpen) say(end, '', 'open when the recording ended', 'note');
    else say(ends(i), text(one.closedBy[i]), (text(one.closedWith[i]) || 'end') + (one.closedFrame[i] ? ', frame ' + one.closedFrame[i] : ''), 'closing');
    return out.sort((a, b) => a.t - b.t || a.n - b.n);
  };
  const says = i => {
    const k = kinds[one.kind[i]], sure = ['', 'certain', 'proven', 'likely'][one.certainty[i]];
    const out = [address(i) + ' to ' + (text(one.name[i]) ? text(one.name[i]) + ' (' + text(one.server[i]) + ')' : text(one.server[i])) + (text(one.spoken[i]) ? ', ' + text(one.spoken[i]) : '') + ', ' + many(one.requests[i], 'request') + '.'];
    out.push('Why opened: ' + k.label + ' (' + k.code + (sure ? ', ' + sure : '') + ')' + (k.avoidable ? ', avoidable' : '') + (isNaN(one.gap[i]) ? '' : '; the one before had been idle for ' + time(one.gap[i])) + '.');
    if (!isNaN(one.waiting[i])) out.push('Its handshake took ' + time(one.waiting[i]) + '.');
    out.push('Ended: ' + ended(i) + (isNaN(one.lasted[i]) ? '' : ' after ' + time(one.lasted[i])) + (text(one.end[i]) ? ' (' + text(one.end[i]) + ')' : '') + '.');
    if (one.frame[i]) out.push('First frame ' + one.frame[i] + '.');
    if (one.left[i]) out.push(many(one.left[i], 'request') + ' of it ' + (one.left[i] === 1 ? 'is' : 'are') + ' not kept in this page.');
    if (one.before[i]) out.push('The one before is ' + called(one.before[i] - 1) + '.');
    return out.join(' ');
  };
  const svg = (name, attributes, text) => {
    const e = document.createElementNS('http://www.w3.org/2000/svg', name);
    for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v);
    if (text !== undefined) e.textContent = text;
    return e;
  };
  const ladder = (i, list) => {
    const W = 400, left = 74, right = 350, parts = [];
    let y = 34, last = list[0]?.t;
    for (const m of list) {
      const gap = m.t - last;
      if (gap > 500) {
        parts.push(svg('text', { x: (left + right) / 2, y: y + 2, 'text-anchor': 'middle', class: 'tick' }, 'nothing for ' + time(gap)));
        y += 24;
      }
      last = m.t;
      parts.push(svg('text', { x: left - 8, y: y + 4, 'text-anchor': 'end', class: 'tick' }, time(m.t - one.opened[i])));
      const short = m.what.length > 44 ? m.what.slice(0, 43) + '…' : m.what;
      if (m.who) {
        const [a, b] = m.who === 'client' ? [left, right] : [right, left], to = y + 8, d = m.who === 'client' ? -6 : 6;
        parts.push(svg('path', { class: 'arrow ' + m.kind, d: `M${a} ${y}L${b} ${to}M${b + d} ${to - 4}L${b} ${to}L${b + d} ${to + 4}` }));
        parts.push(svg('text', { x: (left + right) / 2, y: y - 1, class: 'saying' }, short));
      } else parts.push(svg('text', { x: (left + right) / 2, y: y + 4, class: 'saying' }, short));
      y += 24;
    }
    const drawing = svg('svg', { viewBox: `0 0 ${W} ${y + 6}`, width: W, height: y + 6, 'aria-hidden': 'true' });
    drawing.append(svg('text', { x: left, y: 14, 'text-anchor': 'middle', class: 'head' }, 'client'), svg('text', { x: right, y: 14, 'text-anchor': 'middle', class: 'head' }, 'server'),
      svg('line', { class: 'life', x1: left, x2: left, y1: 20, y2: y }), svg('line', { class: 'life', x1: right, x2: right, y1: 20, y2: y }), ...parts);
    $('ladder').replaceChildren(drawing);
  };
  const choose = (i, aloud) => {
    state.one = i;
    $('one').hidden = i < 0;
    keep();
    if (i < 0) return redraw();
    const list = messagesOf(i), name = called(i);
    $('one-name').textContent = name;
    $('one-says').textContent = says(i);
    ladder(i, list);
    $('messages').replaceChildren(...list.map(m => {
      const row = document.createElement('tr');
      [time(m.t - one.opened[i]), m.who || '–', m.what].forEach((t, k) => {
        const cell = document.createElement(k ? 'td' : 'th');
        k ? cell.className = 'l' : cell.scope = 'row';
        cell.textContent = t;
        row.append(cell);
      });
      return row;
    }));
    if (aloud) said.textContent = name + ': ' + says(i);
    redraw();
  };

  // Time that is shown.
  const show = (from, to) => {
    const span = Math.max(0.01, Math.min(end, to - from));
    state.from = Math.max(0, Math.min(end - span, from));
    state.to = state.from + span;
    keepLater();
    redraw();
  };
  const zoom = (factor, at = (state.from + state.to) / 2) => show(at - (at - state.from) * factor, at + (state.to - at) * factor);
  const move = share => { const by = share * (state.to - state.from); show(state.from + by, state.to + by); };
  $('in').addEventListener('click', () => zoom(0.5));
  $('out').addEventListener('click', () => zoom(2));
  $('left').addEventListener('click', () => move(-0.25));
  $('right').addEventListener('click', () => move(0.25));
  $('all').addEventListener('click', () => show(0, end));
  const placeOf = e => { const b = canvas.getBoundingClientRect(); return { x: e.clientX - b.left, y: e.clientY - b.top, width: b.width }; };
  const hit = e => {
    const p = placeOf(e);
    return drawn.findLast(d => p.x >= d.left && p.x <= d.right && p.y >= d.top && p.y < d.bottom)?.i ?? -1;
  };
  box.addEventListener('wheel', e => {
    const p = placeOf(e), side = Math.abs(e.deltaX) > Math.abs(e.deltaY);
    if (!e.ctrlKey && !e.metaKey && !side && !e.shiftKey) return;
    e.preventDefault();
    if (e.ctrlKey || e.metaKey) zoom(Math.exp(Math.max(-60, Math.min(60, e.deltaY)) / 150), scaleOf(p.width).t(p.x));
    else move((side ? e.deltaX : e.deltaY) / p.width);
  }, { passive: false });
  const pointers = new Map();
  let moved = false;
  box.addEventListener('pointerdown', e => {
    if (e.button || e.offsetX > box.clientWidth) return;
    pointers.set(e.pointerId, placeOf(e).x);
    moved = pointers.size > 1;
  });
  box.addEventListener('pointermove', e => {
    const p = placeOf(e);
    if (!pointers.has(e.pointerId)) {
      const i = hit(e);
      tip.hidden = i < 0;
      if (i >= 0) {
        tip.replaceChildren(...[called(i), kinds[one.kind[i]].label, many(one.requests[i], 'request'), 'ended: ' + ended(i)].map(t => { const s = document.createElement('span'); s.textContent = t; return s; }));
        tip.style.left = Math.max(4, Math.min(e.clientX + 12, innerWidth - tip.offsetWidth - 4)) + 'px';
        tip.style.top = e.clientY + 18 + 'px';
      }
      return;
    }
    const before = pointers.get(e.pointerId), { t } = scaleOf(p.width);
    if (!moved && Math.abs(p.x - before) < 4) return;
    if (!moved) { moved = true; box.setPointerCapture(e.pointerId); box.classList.add('moving'); }
    if (pointers.size === 2) {
      const other = [...pointers].find(([id]) => id !== e.pointerId)[1];
      const was = Math.abs(before - other), is = Math.abs(p.x - other);
      if (was > 8 && is > 8) zoom(was / is, t(other));
    } else {
      const by = t(before) - t(p.x);
      show(state.from + by, state.to + by);
    }
    pointers.set(e.pointerId, p.x);
  });
  for (const name of ['pointerup', 'pointercancel']) box.addEventListener(name, e => {
    const was = pointers.delete(e.pointerId);
    box.classList.remove('moving');
    if (was && name === 'pointerup' && !moved) choose(hit(e), true);
  });
  box.addEventListener('pointerleave', () => { tip.hidden = true; });
  box.addEventListener('dblclick', e => { const p = placeOf(e); zoom(0.4, scaleOf(p.width).t(p.x)); });
  box.addEventListener('scroll', redraw, { passive: true });
  box.addEventListener('keydown', e => {
    if (e.ctrlKey || e.metaKey || e.altKey) return;
    const beside = step => {
      let k = shown.indexOf(state.one);
      k = k < 0 ? (step > 0 ? shown.findIndex(i => ends(i) >= state.from) : shown.length - 1) : k + step;
      const i = shown[k];
      if (i === undefined) return;
      const span = state.to - state.from;
      if (!inView(i)) show(one.opened[i] - span / 4, one.opened[i] + span * 3 / 4);
      choose(i, true);
      draw();
      const mark = drawn.find(d => d.i === i), l = lanes.find(l => l.list.includes(i));
      if (fits === 'singly' && l && (!mark || mark.top < AXIS || mark.bottom > canvas.clientHeight)) { box.scrollTop = Math.max(0, l.y + HEAD + (l.place.get(rows[i]) ?? 0) * ROW - canvas.clientHeight / 2); redraw(); }
    };
    const does = { ArrowLeft: () => move(-0.2), ArrowRight: () => move(0.2), '+': () => zoom(0.5), '=': () => zoom(0.5), '-': () => zoom(2), 0: () => show(0, end), ArrowDown: () => beside(1), ArrowUp: () => beside(-1), Escape: () => choose(-1) }[e.key];
    if (!does) return;
    e.preventDefault();
    does();
  });

  // Filters, in the page and in its address.
  const options = (select, lanes, all) => select.replaceChildren(...[[-1, all], ...lanes.map((l, k) => [k, l.name + ' (' + count(l.n) + ')'])].map(([v, t]) => { const o = document.createElement('option'); o.value = v; o.textContent = t; return o; }));
  options($('origin'), head.origins, 'all ' + count(head.origins.length));
  options($('client'), head.clients, 'all ' + count(head.clients.length));
  kinds.forEach((k, i) => {
    const button = document.createElement('button'), swatch = document.createElement('canvas');
    button.type = 'button';
    button.setAttribute('aria-pressed', 'true');
    swatch.width = 24;
    swatch.height = 12;
    swatch.dataset.kind = i;
    swatch.setAttribute('aria-hidden', 'true');
    button.append(swatch, k.letter + ' ' + k.label + (k.avoidable ? ', avoidable' : '') + ': ' + count(k.n));
    button.addEventListener('click', () => { state.off.has(i) ? state.off.delete(i) : state.off.add(i); apply(); });
    $('legend').append(button);
  });
  const apply = () => {
    [...$('legend').children].forEach((b, i) => b.setAttribute('aria-pressed', String(!state.off.has(i))));
    for (const name of ['by', 'origin', 'client', 'avoidable', 'text', 'mode']) if ($(name).value.toLowerCase() !== String(state[name])) $(name).value = state[name];
    chooseShown();
    draw.key = '';
    keep();
    redraw();
  };
  const keep = () => {
    if (!keep.on) return;
    const off = [...state.off].map(i => kinds[i].code).join('.');
    page.keep('connections', { by: state.by === 'client' ? 'client' : undefined, origin: state.origin < 0 ? undefined : state.origin, client: state.client < 0 ? undefined : state.client, off: off || undefined,
      avoidable: state.avoidable || undefined, text: state.text || undefined, mode: state.mode || undefined, one: state.one < 0 ? undefined : one.id[state.one],
      from: state.from > 0 ? +state.from.toPrecision(9) : undefined, to: state.to < end ? +state.to.toPrecision(9) : undefined });
  };
  let keeping = 0;
  const keepLater = () => { clearTimeout(keeping); keeping = setTimeout(keep, 250); };
  for (const name of ['by', 'avoidable', 'mode']) $(name).addEventListener('change', () => { state[name] = $(name).value; box.scrollTop = 0; apply(); });
  for (const name of ['origin', 'client']) $(name).addEventListener('change', () => { state[name] = +$(name).value; apply(); });
  $('text').addEventListener('input', () => { state.text = $('text').value.trim().toLowerCase(); later(apply); });
  $('filters').addEventListener('submit', e => e.preventDefault());
  for (const button of document.querySelectorAll('[data-cause]')) button.addEventListener('click', () => {
    state.off = new Set(kinds.flatMap((k, i) => k.code === button.dataset.cause ? [] : [i]));
    apply();
    document.getElementById('connections').scrollIntoView();
  });

  document.documentElement.classList.add('lanes-on');
  paint();
  page.watch(wanted => {
    for (const name of ['by', 'avoidable', 'mode']) if (wanted.has(name) && [...$(name).options].some(o => o.value === wanted.get(name))) state[name] = wanted.get(name);
    for (const [name, list] of [['origin', head.origins], ['client', head.clients]]) if (wanted.has(name) && list[wanted.get(name)]) state[name] = +wanted.get(name);
    if (wanted.has('text')) state.text = wanted.get('text').toLowerCase();
    if (wanted.has('off')) { const off = wanted.get('off').split('.'); state.off = new Set(kinds.flatMap((k, i) => off.includes(k.code) ? [i] : [])); }
    const from = +(wanted.get('from') ?? 0), to = +(wanted.get('to') ?? end);
    if (from >= 0 && to > from) { state.from = Math.min(from, end - 0.01); state.to = Math.min(to, end); }
    apply();
    if (wanted.has('one')) { const i = one.id.indexOf(+wanted.get('one')); if (i >= 0) choose(i); }
  });
  keep.on = true;
  draw();
  document.documentElement.dataset.lanes = Math.round(performance.now() - began); // ms from data to drawing
  new ResizeObserver(redraw).observe(box);
  const repaint = () => { paint(); redraw(); };
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', repaint);
  for (const e of document.querySelectorAll('[name=theme]')) e.addEventListener('change', repaint);
})();
