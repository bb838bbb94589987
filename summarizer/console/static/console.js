// What a page does beyond links and forms; without it everything can still be read.
// Nothing here writes markup: texts stay texts.
(() => {
  'use strict';
  // The events that a sentence rests on light up while it is pointed at or focused.
  const light = on => e => {
    const s = e.target.closest && e.target.closest('[data-rests]');
    if (!s) return;
    for (const id of s.dataset.rests.split(' ')) {
      const li = id && document.getElementById(id);
      if (li) li.classList.toggle('lit', on);
    }
  };
  for (const [name, on] of [['mouseover', true], ['mouseout', false], ['focusin', true], ['focusout', false]]) {
    document.addEventListener(name, light(on));
  }
  // Buttons that need a script are shown by it.
  const ready = () => {
    for (const b of document.querySelectorAll('button[data-copy],button[data-print]')) b.hidden = false;
  };
  document.addEventListener('click', async e => {
    const b = e.target.closest('button[data-copy],button[data-print]');
    if (!b) return;
    if ('print' in b.dataset) { window.print(); return; }
    const done = document.getElementById('copied');
    try {
      const r = await fetch(b.dataset.copy, {credentials: 'same-origin'});
      if (!r.ok) throw new Error(String(r.status));
      await navigator.clipboard.writeText(await r.text());
      if (done) done.textContent = b.dataset.done;
    } catch {
      window.location.href = b.dataset.copy;
    }
  });
  if (document.readyState === 'loading') document.addEventListener('DOMContentLoaded', ready); else ready();
})();
