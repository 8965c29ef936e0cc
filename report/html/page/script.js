(() => {
  'use strict';
  document.documentElement.classList.add('js');

  // What a mark stands for is a row of the data below: it is read from there, so
  // that both say the same.
  const read = (out, row) => {
    out.replaceChildren();
    const heads = row.closest('table').tHead.rows[0].cells;
    [...row.cells].forEach((cell, i) => {
      if ('none' in cell.dataset) return;
      const part = document.createElement('span'), name = document.createElement('b');
      name.textContent = heads[i].textContent + ' ';
      part.append(name, cell.textContent.trim());
      out.append(part, ' ');
    });
  };

  for (const chart of document.querySelectorAll('.chart')) {
    const area = chart.querySelector('.scroll'), out = chart.querySelector('.readout');
    const marks = [...chart.querySelectorAll('svg [data-r]')];
    let at = -1, lit = [];
    const show = i => {
      if (i === at) return;
      for (const e of lit) e.classList.remove('lit');
      at = i;
      lit = [];
      out.replaceChildren();
      const row = i < 0 ? null : document.getElementById(marks[i].dataset.r);
      if (!row) return;
      read(out, row);
      lit = [row, ...marks.filter(m => m.dataset.r === marks[i].dataset.r)];
      for (const e of lit) e.classList.add('lit');
    };
    area.addEventListener('pointerover', e => {
      const mark = e.target.closest('[data-r]');
      if (mark) show(marks.indexOf(mark));
    });
    area.addEventListener('pointerleave', () => show(-1));
    area.addEventListener('keydown', e => {
      const last = marks.length - 1;
      const to = { ArrowRight: Math.min(last, at + 1), ArrowDown: Math.min(last, at + 1), ArrowLeft: Math.max(0, at - 1), ArrowUp: Math.max(0, at - 1), Home: 0, End: last, Escape: -1 }[e.key];
      if (to === undefined || e.ctrlKey || e.metaKey || e.altKey || last < 0) return;
      e.preventDefault();
      show(to);
    });
  }

  // One map at a time, where a slider chooses it; without a script all stand there.
  const third = document.getElementById('third');
  if (third) {
    const maps = [...document.querySelectorAll('.map')], name = document.getElementById('third-name');
    const choose = () => {
      maps.forEach((map, i) => { map.hidden = i !== +third.value; });
      name.textContent = maps[third.value].dataset.name;
      third.setAttribute('aria-valuetext', name.textContent);
    };
    third.addEventListener('input', choose);
    choose();
  }

  const common = document.getElementById('common');
  if (common) {
    const apply = () => {
      document.documentElement.classList.toggle('same', common.checked);
      for (const g of document.querySelectorAll('.scaled')) {
        const k = common.checked ? g.dataset.scale : 1, from = g.dataset.from;
        g.setAttribute('transform', `translate(${from * (1 - k)} 0) scale(${k} 1)`);
      }
    };
    common.addEventListener('change', apply);
    apply();
  }
})();
