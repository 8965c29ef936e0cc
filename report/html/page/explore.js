(() => {
  'use strict';
  const $ = id => document.getElementById('explore-' + id);
  const scenario = JSON.parse($('scenario').textContent);
  const controls = Object.fromEntries(scenario.controls.map(c => [c.id, c]));
  const at = id => +$(id).value;
  const value = id => controls[id].values[at(id)];
  const word = id => controls[id].words[at(id)];

  const objects = () => $('objects')?.checked ?? false;

  // What the simulator asks of its host: WASI preview 1, of which it uses the clock and
  // the random numbers of Go's runtime, which no prediction depends on, and the last
  // words of a panic.
  let memory, said = '';
  const words = { args_sizes_get: 2, environ_sizes_get: 2 };
  const host = {
    clock_time_get: (id, precision, to) => { new DataView(memory.buffer).setBigUint64(to, BigInt(Math.round(performance.now() * 1e6)), true); return 0; },
    random_get: (to, n) => { crypto.getRandomValues(new Uint8Array(memory.buffer, to, n)); return 0; },
    sched_yield: () => 0,
    fd_write: (fd, from, count, written) => {
      const view = new DataView(memory.buffer);
      let n = 0;
      for (let i = 0; i < count; i++) {
        const start = view.getUint32(from + 8 * i, true), length = view.getUint32(from + 8 * i + 4, true);
        said = (said + new TextDecoder().decode(new Uint8Array(memory.buffer, start, length))).slice(0, 500);
        n += length;
      }
      view.setUint32(written, n, true);
      return 0;
    },
    args_get: () => 0,
    environ_get: () => 0,
    proc_exit: () => { throw new Error(said || 'it ended'); },
  };
  for (const name of Object.keys(words)) {
    host[name] = (count, bytes) => {
      const view = new DataView(memory.buffer);
      view.setUint32(count, 0, true);
      view.setUint32(bytes, 0, true);
      return 0;
    };
  }
  const badFile = 8; // there is none

  let loading;
  const load = () => loading ??= (async () => {
    const packed = Uint8Array.from(atob($('predictor').textContent.trim()), c => c.charCodeAt(0));
    const bytes = await new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream('gzip'))).arrayBuffer();
    const module = await WebAssembly.compile(bytes);
    const imports = {};
    for (const { module: from, name } of WebAssembly.Module.imports(module)) {
      (imports[from] ??= {})[name] = host[name] ?? (() => badFile);
    }
    const { exports } = await WebAssembly.instantiate(module, imports);
    memory = exports.memory;
    exports._initialize();
    return exports;
  })();

  const pause = () => new Promise(done => setTimeout(done));
  const pageful = 12; // ms of predicting before the page has its turn

  let latest = 0;
  const busy = { now: Promise.resolve() };
  const predict = async mine => {
    const simulator = await load();
    if (mine !== latest) return;
    const request = {
      config: scenario.config, strategies: scenario.strategies, seed: scenario.seed, trials: scenario.trials,
      network: { ...scenario.network, rtt_us: value('rtt') / 1000, down_bps: value('down'), up_bps: value('up'), loss: value('loss') },
      workload: scenario.workload,
    };
    if (objects()) {
      request.named = `objects:${value('count')}x${value('size')}`;
      request.workload = { scheme: scenario.workload.scheme };
    }
    const text = new TextEncoder().encode(JSON.stringify(request));
    const place = simulator.text(text.length);
    new Uint8Array(memory.buffer, place, text.length).set(text);
    let began = performance.now();
    if (simulator.prepare()) {
      while (simulator.advance()) {
        if (performance.now() - began < pageful) continue;
        await pause();
        if (mine !== latest) return;
        began = performance.now();
      }
    }
    const n = simulator.answer();
    return JSON.parse(new TextDecoder().decode(new Uint8Array(memory.buffer, simulator.place(), n)));
  };

  const unit = ms => {
    const [v, name] = ms >= 1000 ? [ms / 1000, 's'] : [ms, 'ms'];
    return (v === 0 ? '0' : v.toFixed(Math.max(0, 2 - Math.floor(Math.log10(v))))) + ' ' + name;
  };
  const share = v => Math.round(100 * Math.abs(v)) + ' %';
  const count = v => v === undefined ? '-' : String(v);
  const svg = (name, attributes) => {
    const e = document.createElementNS('http://www.w3.org/2000/svg', name);
    for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v);
    return e;
  };

  // A strategy has the colour that it has on all of the page: the fastest, or of those with or
  // without keep-alive.
  const tone = (row, best) => row === best ? 'best' : row.persistent ? 'on' : 'off';
  // The network is as it was measured on where no control was moved.
  const asMeasured = () => scenario.measured && !objects() && ['rtt', 'down', 'up', 'loss'].every(id => at(id) === controls[id].at);

  const show = cell => {
    const time = row => row.time_ms?.median;
    const measured = asMeasured() ? scenario.measured : {};
    const known = cell.rows.map(row => Math.max(time(row) ?? 0, measured[row.strategy] ?? 0));
    const most = Math.max(...known), best = cell.rows.find(r => r.strategy === cell.best);
    $('rows').replaceChildren(...cell.rows.map(row => {
      const tr = document.createElement('tr'), t = time(row);
      tr.dataset.strategy = row.strategy;
      if (t !== undefined) tr.dataset.ms = t;
      if (row === best) tr.className = 'best';
      const td = (text, left) => {
        const e = document.createElement('td');
        e.textContent = text;
        if (left) e.className = 'l';
        tr.append(e);
        return e;
      };
      const th = document.createElement('th');
      th.scope = 'row';
      th.className = 'l';
      th.textContent = row.strategy;
      tr.append(th);
      const range = t === undefined || row.time_ms.low === undefined || row.time_ms.low === row.time_ms.high ? '' : ` (${unit(row.time_ms.low)} to ${unit(row.time_ms.high)})`;
      td(t === undefined ? '-' : unit(t) + range);
      if (scenario.measured) td(measured[row.strategy] === undefined ? '-' : unit(measured[row.strategy]));
      const bar = td(row.reason ?? '', true);
      if (t !== undefined) {
        const picture = svg('svg', { class: 'bar', height: 14, 'aria-hidden': 'true' });
        picture.append(svg('rect', { class: tone(row, best), x: 0, y: 1, height: 12, width: Math.max(0.5, 100 * t / most).toFixed(2) + '%' }));
        const real = measured[row.strategy];
        if (real !== undefined) {
          for (const halo of [' halo', '']) picture.append(svg('line', { class: 'whisker' + halo, x1: 100 * real / most + '%', x2: 100 * real / most + '%', y1: 0, y2: 14 }));
        }
        bar.prepend(picture);
      }
      td(t === undefined || !best ? '-' : (t / time(best)).toFixed(2));
      td(count(row.connections));
      td(count(row.packets));
      td(row.wire_bytes === undefined ? '-' : (row.wire_bytes / 1000).toFixed(0));
      return tr;
    }));
    $('wide').hidden = false;
    let verdict = cell.best ? `${cell.best} is fastest: ${unit(time(best))}` : 'Nothing is known of this network';
    if (cell.best && !cell.clear) verdict += '; another is hardly slower' + (cell.network.loss > 0 ? ', or noise is not ruled out' : '');
    verdict += '.';
    const alike = cell.keep_alive ?? [];
    if (alike.length > 0) {
      verdict += ' Keep-alive alone: ' + alike.map(s => `${s.with} takes ${share(s.share.value)} ${s.share.value < 0 ? 'more' : 'less'} than ${s.without}` + (s.significant ? '' : ', which noise explains')).join('; ') + '.';
    }
    if (!cell.within_accuracy) verdict += ' No prediction was held against a measurement on such a network.';
    if (Object.keys(measured).length > 0) verdict += ' The stroke across each bar is what was measured.';
    $('verdict').textContent = verdict;
    const own = !objects();
    const command = ['linger', 'compare', own ? scenario.argument : `objects:${value('count')}x${value('size')}`, '--on', 'sim',
      ...(scenario.workload.scheme === 'dns' ? [] : ['--scheme', scenario.workload.scheme]), '--rtt', word('rtt'), '--down', word('down'), '--up', word('up'), '--loss', word('loss')];
    if (!scenario.standard) command.push('--queue', scenario.network.queue_us / 1000 + 'ms');
    command.push('--strategies', scenario.strategies.join(','), '--trials', scenario.trials, '--seed', scenario.seed, ...scenario.words ?? []);
    $('command').textContent = command.join(' ');
    $('again').hidden = false;
  };

  const run = () => {
    const mine = ++latest;
    // One at a time: there is one simulator.
    busy.now = busy.now.then(async () => {
      if (mine !== latest) return;
      $('status').textContent = 'Predicting …';
      try {
        const cell = await predict(mine);
        if (mine !== latest || !cell) return;
        if (cell.error) throw new Error(cell.error);
        show(cell);
        $('status').textContent = '';
        $('form').dataset.done = mine;
      } catch (e) {
        $('status').textContent = 'The simulator cannot tell: ' + e.message;
        $('form').dataset.done = mine;
      }
    });
  };

  const name = id => {
    const text = controls[id].names[at(id)];
    $(id + '-name').textContent = text;
    $(id).setAttribute('aria-valuetext', text);
  };
  let together = scenario.network.up_bps === scenario.network.down_bps;
  // What the address has of each control is what the command line takes, without units: ms,
  // kbit/s, a share, a number, bytes.
  const per = { rtt: 1e6, down: 1e3, up: 1e3, loss: 1, count: 1, size: 1 };
  const keep = () => {
    const values = { fetched: objects() ? 'objects' : undefined };
    for (const id of Object.keys(controls)) values[id] = at(id) === controls[id].at ? undefined : value(id) / per[id];
    window.linger.keep('explore', values);
  };
  for (const id of Object.keys(controls)) {
    $(id).addEventListener('input', () => {
      name(id);
      if (id === 'up') together = false;
      if (id === 'down' && together) {
        const i = controls.up.values.indexOf(value('down'));
        if (i >= 0) $('up').value = i;
        name('up');
      }
      if (id === 'count' || id === 'size') $('objects').checked = true;
      keep();
      run();
    });
  }
  for (const id of ['own', 'objects']) $(id)?.addEventListener('change', () => { keep(); run(); });
  $('run').addEventListener('click', run);
  $('form').addEventListener('submit', e => e.preventDefault());
  window.linger.watch(state => {
    let moved = false;
    for (const id of Object.keys(controls)) {
      if (!state.has(id)) continue;
      const wanted = +state.get(id) * per[id], { values } = controls[id];
      const i = values.findIndex(v => Math.abs(v - wanted) <= 1e-6 * Math.max(1, Math.abs(wanted)));
      if (i < 0) continue;
      $(id).value = i;
      name(id);
      if (id === 'up') together = false;
      moved = true;
    }
    if (state.get('fetched') === 'objects' && $('objects')) moved = $('objects').checked = true;
    if (moved) run();
  });
})();
