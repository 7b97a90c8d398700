"use strict";
(() => {
  const root = document.documentElement;
  const tip = document.getElementById("tip");
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const element = (name, attributes) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    return made;
  };

  // Theme: the system's until the reader chooses; remembered where the browser allows it.
  const remembered = (value) => {
    try {
      if (value) localStorage.setItem("epochal-theme", value);
      return localStorage.getItem("epochal-theme");
    } catch {
      return null; // some browsers give files no storage
    }
  };
  const system = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme || (system.matches ? "dark" : "light")) === "dark";
  const toggle = document.querySelector("[data-theme-toggle]");
  const nameTheme = () => {
    document.querySelector("[data-theme-word]").textContent = isDark() ? "Light" : "Dark";
    toggle.setAttribute("aria-label", isDark() ? "Switch to the light theme" : "Switch to the dark theme");
  };
  if (remembered()) root.dataset.theme = remembered();
  toggle.hidden = false;
  toggle.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    remembered(root.dataset.theme);
    nameTheme();
  });
  system.addEventListener("change", nameTheme);
  nameTheme();

  // Tooltip
  const place = (x, y) => {
    const width = tip.offsetWidth, height = tip.offsetHeight, edge = root.clientWidth - 8;
    const left = x + 14 + width > edge ? Math.max(8, x - width - 14) : x + 14;
    const top = y - height - 12 < 8 ? y + 18 : y - height - 12;
    tip.style.left = `${left + scrollX}px`;
    tip.style.top = `${top + scrollY}px`;
  };
  const hide = () => { tip.hidden = true; };
  document.addEventListener("pointermove", (event) => {
    const target = event.target instanceof Element ? event.target.closest("[data-tip]") : null;
    if (target) {
      tip.textContent = target.dataset.tip;
      tip.hidden = false;
      place(event.clientX, event.clientY);
    } else if (!(event.target instanceof Element && event.target.closest(".canvas"))) hide();
  });
  document.addEventListener("scroll", hide, { passive: true });

  // Charts: a cursor with the values of every line beneath it, by pointer or by arrow keys.
  const nearest = (places, wanted) => {
    let low = 0, high = places.length - 1;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (places[middle] < wanted) low = middle; else high = middle;
    }
    return wanted - places[low] < places[high] - wanted ? low : high;
  };
  for (const plot of all("svg[data-lines]")) {
    const lines = JSON.parse(plot.dataset.lines);
    const longest = lines.reduce((a, b) => (b.x.length > a.x.length ? b : a));
    const cursor = element("line", { class: "cursor", y1: 0, y2: plot.getAttribute("height") });
    const spots = lines.map((line) => element("circle", { class: `spot s${line.color}`, r: 4.5 }));
    let chosen = -1;
    const clear = () => { chosen = -1; cursor.remove(); spots.forEach((spot) => spot.remove()); hide(); };
    const show = (index) => {
      chosen = index;
      const at = longest.x[index];
      cursor.setAttribute("x1", `${at * 100}%`);
      cursor.setAttribute("x2", `${at * 100}%`);
      plot.append(cursor);
      const head = document.createElement("b");
      head.textContent = `${plot.dataset.x} ${longest.at[index]}`;
      tip.replaceChildren(head);
      lines.forEach((line, order) => {
        const here = nearest(line.x, at);
        spots[order].setAttribute("cx", `${line.x[here] * 100}%`);
        spots[order].setAttribute("cy", line.y[here]);
        plot.append(spots[order]);
        const row = document.createElement("div"), dot = document.createElement("i");
        dot.style.background = `var(--s${line.color})`;
        row.append(dot, `${line.label} `, Object.assign(document.createElement("strong"), { textContent: line.text[here] }));
        tip.append(row);
      });
      tip.hidden = false;
      const box = plot.getBoundingClientRect();
      place(box.left + at * box.width, box.top + Math.min(...spots.map((spot) => Number(spot.getAttribute("cy")))));
    };
    const canvas = plot.closest(".canvas");
    canvas.addEventListener("pointermove", (event) => {
      const box = plot.getBoundingClientRect();
      const share = (event.clientX - box.left) / box.width;
      if (share < -0.02 || share > 1.02) clear(); else show(nearest(longest.x, share));
    });
    canvas.addEventListener("pointerleave", clear);
    plot.addEventListener("blur", clear);
    plot.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (step) {
        event.preventDefault();
        show(Math.min(longest.x.length - 1, Math.max(0, chosen + step)));
      } else if (event.key === "Escape") clear();
    });
  }
  for (const button of all("[data-scale]")) {
    button.hidden = false;
    button.setAttribute("aria-label", "Logarithmic scale");
    button.addEventListener("click", () => {
      const log = button.getAttribute("aria-pressed") !== "true";
      const figure = button.closest("figure");
      button.setAttribute("aria-pressed", String(log));
      figure.querySelector("[data-linear]").hidden = log;
      figure.querySelector("[data-log]").hidden = !log;
    });
  }

  // Tables that can be sorted: numbers from the largest, names from A.
  for (const table of all("table[data-sortable]")) {
    const body = table.tBodies[0];
    const value = (row, column) => {
      const cell = row.cells[column];
      const text = cell.dataset.key ?? cell.textContent.trim();
      const number = Number(text.replaceAll(",", ""));
      return text === "" || Number.isNaN(number) ? text : number;
    };
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      if (head.classList.contains("drawn")) return;
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const rising = head.getAttribute("aria-sort") ? head.getAttribute("aria-sort") === "descending" : !head.classList.contains("n");
        for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", rising ? "ascending" : "descending");
        const compare = (a, b) => (typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), undefined, { numeric: true }));
        const rows = [...body.rows].sort((a, b) => compare(value(a, column), value(b, column)) * (rising ? 1 : -1));
        body.append(...rows);
      });
    });
  }

  // Copying, printing, and the section that is being read
  for (const button of all("[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const code = document.querySelector("[data-command]");
      try {
        await navigator.clipboard.writeText(code.textContent);
        button.textContent = "Copied";
      } catch { // files are not always allowed to write: select the text for the reader
        getSelection().selectAllChildren(code);
        button.textContent = "Selected";
      }
      setTimeout(() => { button.textContent = "Copy"; }, 1600);
    });
  }
  let opened = [];
  addEventListener("beforeprint", () => { opened = all("details:not([open])"); opened.forEach((each) => { each.open = true; }); });
  addEventListener("afterprint", () => { opened.forEach((each) => { each.open = false; }); });
  const links = new Map(all(".contents a").map((link) => [link.hash.slice(1), link]));
  const visible = new Set();
  const reading = new IntersectionObserver((entries) => {
    for (const entry of entries) visible[entry.isIntersecting ? "add" : "delete"](entry.target.id);
    const first = [...links.keys()].find((id) => visible.has(id));
    if (!first) return;
    for (const [id, link] of links) if (id === first) link.setAttribute("aria-current", "true"); else link.removeAttribute("aria-current");
  }, { rootMargin: "-10% 0px -70% 0px" });
  for (const section of all("main > section")) reading.observe(section);
})();
