"use strict";
(() => {
  const main = document.querySelector("main");
  const scrolled = [...document.querySelectorAll(".scroll")];
  const open = document.querySelector(".cards");
  const tellCut = () => {
    scrolled.forEach((one) => one.classList.toggle("is-cut", one.scrollWidth > one.clientWidth + 4));
    if (open) open.classList.toggle("is-long", open.scrollHeight > open.clientHeight + 4);
  };
  tellCut();
  window.addEventListener("resize", tellCut);
  const cards = [...main.querySelectorAll(".card")];
  if (cards.length < 2) return;
  const chart = main.querySelector(".chart");
  const noun = main.dataset.noun;
  const columns = Number(main.dataset.columns);
  const marks = [...main.querySelectorAll(".mark")];
  const buttons = [...main.querySelectorAll("button")];
  const rows = [...document.querySelectorAll("tr[data-card]")];
  const tip = main.querySelector(".tip");
  const status = main.querySelector(".status");
  const NEAR = 48;
  let chosen = Number(main.dataset.chosen);

  const card = (element) => Number(element.dataset.card);
  const isDrawn = (mark) => mark.getClientRects().length > 0;

  function choose(index, { focus = false, remember = true } = {}) {
    chosen = Math.min(Math.max(index, 0), cards.length - 1);
    cards.forEach((one) => { one.hidden = card(one) !== chosen; });
    rows.forEach((one) => one.classList.toggle("is-chosen", card(one) === chosen));
    marks.forEach((one) => {
      const isChosen = card(one) === chosen;
      one.classList.toggle("is-chosen", isChosen);
      one.setAttribute("aria-checked", String(isChosen));
      one.setAttribute("tabindex", isChosen ? "0" : "-1");
      if (isChosen) one.parentNode.append(one); // the last is drawn above all others
      if (isChosen && focus && isDrawn(one)) one.focus({ preventScroll: true });
    });
    buttons.forEach((one) => {
      const next = chosen + Number(one.dataset.step);
      one.disabled = next < 0 || next >= cards.length;
    });
    tellCut();
    if (remember && status) status.textContent = `${noun} ${chosen + 1}: ${cards[chosen].dataset.short}`;
    if (remember) history.replaceState(null, "", `#${noun}-${chosen + 1}`);
  }

  function nearest(event) {
    let best = null;
    let least = NEAR;
    for (const mark of marks.filter(isDrawn)) {
      const box = mark.getBoundingClientRect();
      const dx = Math.max(box.left - event.clientX, 0, event.clientX - box.right);
      const dy = Math.max(box.top - event.clientY, 0, event.clientY - box.bottom);
      const far = Math.hypot(dx, dy);
      if (far < least) [best, least] = [mark, far];
    }
    return best;
  }

  function point(mark) {
    marks.forEach((one) => one.classList.toggle("is-near", mark !== null && card(one) === card(mark)));
    tip.hidden = mark === null;
    if (mark === null) return;
    tip.textContent = cards[card(mark)].dataset.short;
    const box = mark.getBoundingClientRect();
    const room = chart.getBoundingClientRect();
    const left = box.left + box.width / 2 - room.left - tip.offsetWidth / 2;
    const above = box.top - room.top - tip.offsetHeight - 8;
    tip.style.left = `${Math.min(Math.max(left, 0), room.width - tip.offsetWidth)}px`;
    tip.style.top = `${above < 0 ? box.bottom - room.top + 8 : above}px`;
  }

  function chooseFromHash() {
    const index = cards.findIndex((one) => `#${one.id}` === location.hash);
    if (index >= 0) choose(index, { remember: false });
  }

  const KEYS = {
    ArrowRight: () => chosen + 1, ArrowDown: () => chosen + columns,
    ArrowLeft: () => chosen - 1, ArrowUp: () => chosen - columns,
    Home: () => 0, End: () => cards.length - 1,
  };
  for (const drawing of main.querySelectorAll(".drawing")) {
    drawing.addEventListener("pointermove", (event) => point(nearest(event)));
    drawing.addEventListener("pointerleave", () => point(null));
    drawing.addEventListener("click", (event) => {
      const mark = nearest(event);
      if (mark) choose(card(mark), { focus: true });
    });
    drawing.addEventListener("keydown", (event) => {
      const key = KEYS[event.key];
      if (!key || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      if (key() in cards) choose(key(), { focus: true });
      point(null);
    });
  }
  for (const button of buttons) {
    button.addEventListener("click", () => choose(chosen + Number(button.dataset.step)));
  }
  for (const row of rows) {
    row.addEventListener("click", (event) => {
      event.preventDefault();
      choose(card(row));
    });
  }
  window.addEventListener("hashchange", chooseFromHash);
  document.documentElement.classList.add("scripted");
  choose(chosen, { remember: false });
  chooseFromHash();
})();
