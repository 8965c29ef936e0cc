(() => {
  'use strict';
  const root = document.documentElement, byID = id => document.getElementById(id);
  root.classList.add('js');

  // The state of the page stands in its address, behind the name of a part: a link gives it
  // to others. Parts that have a state call watch, and write it by keep.
  const listeners = [];
  const parts = () => {
    const [part, query] = decodeURIComponent(location.hash.slice(1)).split('?');
    return { part, state: new URLSearchParams(query ?? '') };
  };
  let state = parts().state;
  const page = window.linger = {
    watch: apply => { listeners.push(apply); apply(state); },
    keep: (part, values) => {
      for (const [k, v] of Object.entries(values)) v === undefined ? state.delete(k) : state.set(k, v);
      const text = state.toString();
      history.replaceState(null, '', '#' + part + (text && '?' + text));
    },
  };
  addEventListener('hashchange', () => {
    const { part, state: wanted } = parts();
    for (const [k, v] of wanted) state.set(k, v);
    for (const apply of listeners) apply(wanted);
    byID(part)?.scrollIntoView();
  });
  if (location.hash.includes('?')) addEventListener('load', () => byID(parts().part)?.scrollIntoView());

  // What a mark stands for is a row of the data below: it is read from there, so
  // that both say the same.
  const tip = byID('tip'), said = byID('said');
  const read = row => {
    const heads = row.closest('table').tHead.rows[0].cells;
    return [...row.cells].flatMap((cell, i) => 'none' in cell.dataset || !cell.textContent ? [] : [[heads[i].textContent, cell.textContent.trim()]]);
  };
  const put = (x, y) => {
    const { width, height } = tip.getBoundingClientRect();
    tip.style.left = Math.max(4, Math.min(x + 12, innerWidth - width - 4)) + 'px';
    tip.style.top = (y + 18 + height > innerHeight ? Math.max(4, y - height - 10) : y + 18) + 'px';
  };
  let held = null; // the mark that keys have led to: what is said of it goes with it
  const hide = () => { tip.hidden = true; held = null; };
  const follow = () => {
    const box = held.getBoundingClientRect();
    put(box.right, box.bottom - 8);
  };

  for (const chart of document.querySelectorAll('.chart')) {
    const area = chart.querySelector('.plot');
    const marks = [...area.querySelectorAll('[data-r]')];
    let at = -1, lit = [];
    const show = (i, x, y) => {
      if (i !== at) {
        for (const e of lit) e.classList.remove('lit');
        at = i;
        lit = [];
        const row = i < 0 ? null : byID(marks[i].dataset.r);
        if (!row) return hide();
        tip.replaceChildren(...read(row).map(([head, text]) => {
          const part = document.createElement('span'), name = document.createElement('b');
          name.textContent = head + ' ';
          part.append(name, text);
          return part;
        }));
        lit = [row, ...marks.filter(m => m.dataset.r === marks[i].dataset.r)];
        for (const e of lit) e.classList.add('lit');
      }
      if (at < 0) return;
      tip.hidden = false;
      put(x, y);
    };
    area.addEventListener('pointermove', e => {
      const mark = e.target.closest('[data-r]');
      mark ? show(marks.indexOf(mark), e.clientX, e.clientY) : show(-1);
    });
    area.addEventListener('pointerleave', () => show(-1));
    area.addEventListener('blur', () => show(-1));
    const lines = marks.map(m => m.closest('.row, .drawing'));
    const beside = step => { // the first mark of the next row, or of the one before
      let i = at;
      while (i >= 0 && i < marks.length && lines[i] === lines[at]) i += step;
      if (i < 0 || i >= marks.length) return -1;
      return step > 0 ? i : lines.indexOf(lines[i]);
    };
    area.addEventListener('keydown', e => {
      const last = marks.length - 1;
      if (last < 0 || e.ctrlKey || e.metaKey || e.altKey) return;
      if (e.key === 'Enter' && at >= 0) return marks[at].closest('a')?.dispatchEvent(new MouseEvent('click', { bubbles: true, cancelable: true, view: window }));
      const next = Math.min(last, at + 1), before = Math.max(0, at - 1);
      const to = { ArrowRight: next, ArrowLeft: before, Home: 0, End: last, Escape: -1,
        ArrowDown: at < 0 || beside(1) < 0 ? next : beside(1), ArrowUp: at < 0 || beside(-1) < 0 ? before : beside(-1) }[e.key];
      if (to === undefined) return;
      e.preventDefault();
      if (to < 0) {
        said.textContent = '';
        return show(-1);
      }
      marks[to].scrollIntoView({ block: 'nearest', behavior: 'instant' });
      show(to, 0, 0);
      held = marks[to];
      follow();
      said.textContent = read(byID(marks[to].dataset.r)).flat().join(' ');
    });
  }
  addEventListener('scroll', () => held ? follow() : hide(), { passive: true });
  addEventListener('keydown', e => { if (e.key === 'Escape') hide(); });

  // Objects are named on their bars where the name has room: in it, or behind it.
  const lanes = [...document.querySelectorAll('.lanes')];
  const objects = chart => {
    const strip = chart.querySelector('.strip'), all = strip.getBoundingClientRect();
    for (const old of strip.querySelectorAll('.object')) old.remove();
    const bars = new Map();
    for (const m of strip.querySelectorAll('rect.wait, rect.receive')) {
      const b = m.getBoundingClientRect(), bar = bars.get(m.dataset.r);
      bars.set(m.dataset.r, bar ? { ...bar, right: b.right, full: b.left } : { left: b.left, right: b.right, full: b.right, top: b.top, height: b.height });
    }
    const busy = [...strip.querySelectorAll('rect[data-r]:not(.idle)')].map(m => ({ id: m.dataset.r, at: m.getBoundingClientRect() }));
    const names = [];
    for (const [id, bar] of bars) {
      const row = byID(id), text = row?.cells[row.cells.length - 1].textContent.split('?')[0].replace(/\/$/, '').split('/').pop().slice(-24);
      if (!text || bar.height < 8) continue;
      const wide = text.length * 5.6 + 6; // of letters of 10 px, at most
      const within = bar.right - bar.full >= wide;
      const until = busy.reduce((x, { id: of, at: b }) => of !== id && b.top < bar.top + 4 && b.bottom > bar.top + 4 && b.left >= bar.right - 1 ? Math.min(x, b.left) : x, all.right);
      if (!within && until - bar.right < wide) continue;
      const e = document.createElementNS('http://www.w3.org/2000/svg', 'text');
      e.setAttribute('class', within ? 'object within' : 'object');
      e.setAttribute('x', (within ? bar.full : bar.right) - all.left + 3);
      e.setAttribute('y', bar.top - all.top + bar.height / 2 + 3.5);
      e.textContent = text;
      names.push(e);
    }
    strip.append(...names);
  };
  const seen = new IntersectionObserver(list => {
    for (const e of list) if (e.isIntersecting) { seen.unobserve(e.target); objects(e.target); }
  }, { rootMargin: '300px' });
  const again = () => { for (const chart of lanes) seen.observe(chart); };
  let width = innerWidth;
  addEventListener('resize', () => {
    if (width === innerWidth) return;
    width = innerWidth;
    for (const chart of lanes) for (const old of chart.querySelectorAll('.object')) old.remove();
    again();
  });
  again();

  // One map at a time, where a slider chooses it; without a script all stand there.
  const third = byID('third');
  if (third) {
    const maps = [...document.querySelectorAll('.map.lane')], name = byID('third-name');
    const choose = () => {
      maps.forEach((map, i) => { map.hidden = i !== +third.value; });
      name.textContent = maps[third.value].dataset.name;
      third.setAttribute('aria-valuetext', name.textContent);
    };
    third.addEventListener('input', () => { choose(); page.keep('maps', { map: third.value === '0' ? undefined : third.value }); });
    page.watch(state => {
      if (maps[state.get('map')]) third.value = state.get('map');
      choose();
    });
  }

  const own = byID('own');
  if (own) {
    const apply = () => {
      root.classList.toggle('owned', own.checked);
      for (const g of document.querySelectorAll('.scaled')) g.setAttribute('width', own.checked ? '100%' : g.dataset.scale);
      for (const chart of lanes) for (const old of chart.querySelectorAll('.object')) old.remove();
      again();
    };
    own.addEventListener('change', () => { apply(); page.keep('waterfalls', { scale: own.checked ? 'own' : undefined }); });
    page.watch(state => {
      if (state.has('scale')) own.checked = state.get('scale') === 'own';
      apply();
    });
  }

  // A list whose rows are sorted by its heads and filtered by what they hold.
  const list = byID('list');
  if (list) {
    const body = list.tBodies[0], rows = [...body.rows], heads = [...list.tHead.rows[0].cells], filter = byID('filter');
    const details = [...document.querySelectorAll('.server')];
    const has = rows.map(row => row.textContent.toLowerCase()), of = rows.map(row => byID(row.cells[0].querySelector('a')?.hash.slice(1))?.closest('.server'));
    const sort = (column, down) => {
      // What is not known comes last, whatever the order.
      const key = row => {
        const cell = row.cells[column];
        return 'none' in cell.dataset ? null : 'v' in cell.dataset ? +cell.dataset.v : cell.textContent;
      };
      const keys = new Map(rows.map(row => [row, key(row)])), collate = new Intl.Collator(undefined, { numeric: true }).compare;
      const order = (a, b) => typeof a === 'number' && typeof b === 'number' ? a - b : collate(String(a), String(b));
      body.append(...[...rows].sort((a, b) => {
        const x = keys.get(a), y = keys.get(b);
        return x === null || y === null ? (x === null) - (y === null) : down ? order(y, x) : order(x, y);
      }));
      heads.forEach((head, i) => i === column ? head.setAttribute('aria-sort', down ? 'descending' : 'ascending') : head.removeAttribute('aria-sort'));
    };
    heads.forEach((head, i) => {
      const button = document.createElement('button');
      button.type = 'button';
      button.textContent = head.textContent;
      button.addEventListener('click', () => {
        const down = head.getAttribute('aria-sort') === 'ascending';
        sort(i, down);
        page.keep('servers', { sort: i + (down ? 'd' : 'a') });
      });
      head.replaceChildren(button);
    });
    const apply = () => {
      const wanted = filter.value.trim().toLowerCase();
      let n = 0;
      rows.forEach((row, i) => {
        row.hidden = !has[i].includes(wanted);
        if (of[i]) of[i].hidden = row.hidden;
        n += !row.hidden;
      });
      byID('matches').textContent = wanted ? n + ' of ' + rows.length : '';
    };
    filter.addEventListener('input', () => { apply(); page.keep('servers', { filter: filter.value || undefined }); });
    page.watch(state => {
      if (state.has('filter')) filter.value = state.get('filter');
      const [, column, order] = /^(\d+)([ad])$/.exec(state.get('sort') ?? '') ?? [];
      if (column < heads.length) sort(+column, order === 'd');
      apply();
    });
    const open = () => { // what a link leads to
      const part = byID(parts().part)?.closest('.server');
      if (part) part.open = true;
    };
    addEventListener('hashchange', open);
    open();
  }

  // A slider over the rows of a table: what it shows is read from the row, so that both say the same.
  const timeout = byID('timeout');
  if (timeout) {
    const rows = [...document.querySelectorAll('[id^="timeout-row-"]')], name = byID('timeout-name');
    const fields = [...byID('timeout-figures').querySelectorAll('dd')], cursors = document.querySelectorAll('.cursor');
    const keyed = row => row.cells[0].textContent.replace(' ', '');
    const choose = () => {
      const row = rows[timeout.value];
      name.textContent = row.cells[0].textContent;
      fields.forEach((field, i) => { field.textContent = row.cells[i + 1].textContent || '–'; });
      timeout.setAttribute('aria-valuetext', read(row).flat().join(' '));
      const x = document.querySelector('[data-r="' + row.id + '"]').getAttribute('cx');
      for (const c of cursors) for (const end of ['x1', 'x2']) c.setAttribute(end, x);
    };
    timeout.addEventListener('input', () => { choose(); page.keep('curve', { timeout: keyed(rows[timeout.value]) }); });
    page.watch(state => {
      const at = rows.findIndex(row => keyed(row) === state.get('timeout'));
      if (at >= 0) timeout.value = at;
      choose();
    });
  }

  const copies = (button, source, name = button.textContent) => button.addEventListener('click', async () => {
    let done = false;
    try {
      await navigator.clipboard.writeText(source.textContent);
      done = true;
    } catch { // a page from a file may not: what is selected can be copied by a key
      getSelection().selectAllChildren(source);
      source.scrollIntoView({ block: 'center' });
      try { done = document.execCommand('copy'); } catch { /* it stays selected */ }
    }
    button.textContent = done ? 'Copied' : 'Selected: press Ctrl+C';
    said.textContent = button.textContent;
    setTimeout(() => { button.textContent = name; }, 3000);
  });
  if (byID('copy')) copies(byID('copy'), byID('command'));
  for (const button of document.querySelectorAll('[data-copies]')) copies(button, byID(button.dataset.copies));
})();
