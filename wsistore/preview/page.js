"use strict";
(() => {
  const get = (id) => document.getElementById(id);
  const list = get("slides");
  const cards = Array.from(list.children);
  const texts = cards.map((card) => card.textContent.toLowerCase());
  const orders = {
    place: (a, b) => a.dataset.place - b.dataset.place,
    crops: (a, b) => b.dataset.crops - a.dataset.crops || orders.place(a, b),
    // slides that were not read have no µm per pixel and come last
    mpp: (a, b) => (a.dataset.mpp || 1e9) - (b.dataset.mpp || 1e9) || orders.place(a, b),
  };

  function filter() {
    const words = get("search").value.toLowerCase().split(/\s+/).filter(Boolean);
    const outcome = get("outcome").value;
    const label = get("label").value;
    const warned = get("warned").checked;
    let shown = 0;
    cards.forEach((card, i) => {
      const data = card.dataset;
      const fits =
        (!outcome || data.outcome === outcome) &&
        (!label || data.labels.split(" ").includes(label)) &&
        (!warned || data.warned === "1") &&
        words.every((word) => texts[i].includes(word));
      card.hidden = !fits;
      shown += fits;
    });
    const all = cards.length;
    get("shown").value =
      shown === all ? `${all.toLocaleString("en")} slides`
        : `${shown.toLocaleString("en")} of ${all.toLocaleString("en")} slides`;
    get("none").hidden = shown > 0;
  }

  const form = get("filters");
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", filter);
  get("sort").addEventListener("change", (event) => {
    list.append(...cards.slice().sort(orders[event.target.value]));
  });
  get("clear").addEventListener("click", () => {
    form.reset();
    list.append(...cards);
    filter();
  });
  // a browser keeps what was typed when a page is loaded again
  list.append(...cards.slice().sort(orders[get("sort").value]));
  filter();
})();
