"use strict";
// All content is in the page already: this filters, sorts, folds and copies it.
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const byId = (name) => document.getElementById(name);
  const root = document.documentElement;

  // --- filter ---
  const ENTRY = ".card, .items > li, tbody > tr";
  const HOLDER = "section, figure, details, .scroll";
  const entries = all(ENTRY, byId("content"))
    .filter((entry) => !entry.parentElement.closest(ENTRY))
    .map((entry) => ({ entry, text: entry.textContent.toLowerCase() }));
  const known = new Set(entries.map(({ entry }) => entry));
  const holders = all(HOLDER, byId("content"))
    .map((holder) => ({ holder, held: all(ENTRY, holder).filter((entry) => known.has(entry)) }))
    .filter(({ held }) => held.length > 0);
  const field = byId("filter");
  let opened = [];

  function filter() {
    const query = field.value.trim().toLowerCase();
    let found = 0;
    for (const { entry, text } of entries) {
      entry.hidden = query !== "" && !text.includes(query);
      found += !entry.hidden;
    }
    // Sums are of all rows.
    for (const sums of all("tfoot")) sums.hidden = query !== "";
    for (const details of opened) details.open = false;
    opened = [];
    for (const { holder, held } of holders) {
      const isFound = held.some((entry) => !entry.hidden);
      holder.hidden = query !== "" && !isFound;
      if (query !== "" && isFound && holder.tagName === "DETAILS" && !holder.open) {
        holder.open = true;
        opened.push(holder);
      }
    }
    byId("count").textContent =
      query === "" ? "" : `${found} of ${entries.length} entries`;
  }

  // --- sort ---
  const collator = new Intl.Collator(undefined, { numeric: true });

  function keyOf(row, column) {
    const text = row.cells[column]?.textContent.trim() ?? "";
    const number = /^[^\w-]*(-?[\d,]*\.?\d+)/.exec(text);
    return { text, number: number ? parseFloat(number[1].replaceAll(",", "")) : NaN };
  }

  function compare(a, b) {
    const both = !Number.isNaN(a.number) && !Number.isNaN(b.number);
    return (both && a.number - b.number) || collator.compare(a.text, b.text);
  }

  const NEXT = { none: "ascending", ascending: "descending", descending: "none" };

  function sortable(table) {
    const body = table.tBodies[0];
    const original = [...body.rows];
    if (original.length < 3) return;
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      if (head.tagName !== "TH") return;
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const order = NEXT[head.ariaSort ?? "none"];
        for (const other of heads) other.removeAttribute("aria-sort");
        if (order === "none") return body.append(...original);
        head.ariaSort = order;
        const keyed = original.map((row) => [keyOf(row, column), row]);
        const sign = order === "ascending" ? 1 : -1;
        keyed.sort(([a], [b]) => sign * compare(a, b));
        body.append(...keyed.map(([, row]) => row));
      });
    });
  }

  // --- fold ---
  const folds = all("details");
  const fold = (isOpen) => folds.forEach((details) => (details.open = isOpen));

  function unfoldTo(target) {
    for (let at = target; at; at = at.parentElement?.closest("details")) {
      if (at.tagName === "DETAILS") at.open = true;
    }
  }

  function follow() {
    const target = byId(location.hash.slice(1));
    if (!target) return;
    if (target.closest("[hidden]")) clear();
    unfoldTo(target);
    target.scrollIntoView();
  }

  // --- theme, for as long as the page is open ---
  const isDark = () =>
    root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  const themed = () => (byId("theme").textContent = isDark() ? "Light" : "Dark");

  // --- copy ---
  function copyable(pre) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = "Copy";
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(pre.textContent);
        button.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(pre);
        button.textContent = "Selected";
      }
      setTimeout(() => (button.textContent = "Copy"), 2000);
    });
    const holder = document.createElement("div");
    holder.className = "copied";
    pre.replaceWith(holder);
    holder.append(pre, button);
  }

  // What fits needs no stop of the Tab key.
  const scrolled = new ResizeObserver((changes) => {
    for (const { target } of changes) {
      if (target.scrollWidth > target.clientWidth) target.tabIndex = 0;
      else target.removeAttribute("tabindex");
    }
  });

  function clear() {
    field.value = "";
    filter();
  }

  function pressed(event) {
    const isTyping = event.target.closest("input, textarea, select");
    if (event.key === "/" && !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      field.focus();
    } else if (event.key === "Escape" && field.value) {
      clear();
    }
  }

  let folded = [];
  function print(isPrinting) {
    if (isPrinting) folded = folds.filter((details) => !details.open);
    for (const details of folded) details.open = isPrinting;
  }

  byId("tools").hidden = false;
  all("table").filter((table) => table.tHead).forEach(sortable);
  all("pre.diff, pre.console").forEach(copyable);
  all(".scroll, pre").forEach((part) => scrolled.observe(part));
  field.addEventListener("input", filter);
  byId("unfold").addEventListener("click", () => fold(true));
  byId("fold").addEventListener("click", () => fold(false));
  byId("theme").addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    themed();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", themed);
  addEventListener("keydown", pressed);
  addEventListener("hashchange", follow);
  addEventListener("beforeprint", () => print(true));
  addEventListener("afterprint", () => print(false));
  themed();
  if (location.hash) follow();
})();
