// Puts the timeline together, and keeps its place in the address of the page.

class Timeline {
  constructor(root, sources) {
    this.root = root;
    this.sources = sources;
    this.palette = new Palette();
    this.palette.changed = () => this.changed();
    this.found = null;
    this.selected = null;
    this.hits = -1;
    this.lane = 0;
    this.pending = false;
    this.folds = new Set(["links"]);
    this.details = new Details(this);
  }

  // Reads a variant and builds its rows.
  async open(name) {
    const source = this.sources.find((one) => one.dataset.name === name) ?? this.sources[0];
    const run = await decode(source.textContent);
    const { about, operations } = run;
    this.run = run;
    this.view = new View(run, () => this.changed());
    run.summary = new Summary(operations, about.rows.length, this.view.least, this.view.most);
    const at = (index) => operations.find(index);
    run.odd = about.violation && about.violation.odd !== null ? at(about.violation.odd) : -1;
    run.marked = (about.violation?.operations ?? []).map(at).filter((place) => place >= 0);
    this.selected = null;
    this.found = null;
    this.build();
    this.layout();
  }

  build() {
    const { run } = this;
    this.overview = new Overview();
    this.rows = [new AxisRow(), new StripRow(), new FaultsRow(run), new NodesRow(run), new ClientsRow(run), new ThroughputRow(), new LatencyRow()];
    if (run.about.nodes.every((node) => node.states.length === 0)) this.rows = this.rows.filter((row) => row.key !== "nodes");
    if (run.messages) this.rows.push(new MessagesRow(run));
    if (run.about.links.length > 1) this.rows.push(new LinksRow(run));
    this.rows.push(new LogsRow(run, this));
    this.cursorLine = element("div", { class: "cursor", hidden: true });
    this.rangeMark = element("div", { class: "range", hidden: true });
    this.stage = element("div", { class: "stage", tabindex: "0", role: "group", "aria-label": "Timeline of the run. Arrow keys move, plus and minus zoom, n and p go from operation to operation, v shows the violation." },
      this.overview.canvas, this.rows.map((row) => row.root), this.cursorLine, this.rangeMark);
    for (const row of this.rows) {
      row.button.addEventListener("click", () => this.fold(row, !row.folded));
      row.fold(this.folds.has(row.key));
    }
    this.root.replaceChildren(this.tools(), this.legend(), element("div", { class: "split" }, this.stage, this.details.root));
    this.input = new Input(this, this.stage);
    const seen = new IntersectionObserver((entries) => {
      for (const entry of entries) this.rows.find((row) => row.root === entry.target).visible = entry.isIntersecting;
      this.changed();
    }, { rootMargin: "200px" });
    this.rows.forEach((row) => seen.observe(row.root));
    new ResizeObserver(() => this.layout()).observe(this.stage);
    this.details.show();
  }

  tools() {
    const button = (text, label, action) => element("button", { type: "button", "aria-label": label, title: label, onclick: action }, text);
    this.box = element("input", { type: "search", placeholder: "Search operations and logs", title: "Key, value, client, node, error or text of a log", "aria-label": "Search operations and logs", autocomplete: "off", spellcheck: "false" });
    this.box.addEventListener("input", () => {
      clearTimeout(this.typing);
      this.typing = setTimeout(() => this.find(this.box.value), 180);
    });
    this.box.addEventListener("keydown", (event) => {
      if (event.key === "Enter") {
        this.find(this.box.value);
        this.nextHit(event.shiftKey ? -1 : 1);
      }
    });
    this.count = element("output", { class: "count", "aria-live": "polite" });
    const names = this.sources.map((source) => source.dataset.name);
    const choice = names.length > 1
      ? element("select", { "aria-label": "Variant", onchange: (event) => this.open(event.target.value).then(() => this.keep()) },
        names.map((name) => element("option", { value: name, selected: name === this.run.about.name }, name)))
      : null;
    const violation = this.run.about.violation
      ? element("button", { type: "button", class: "go", onclick: () => this.showViolation() }, "Show the violation")
      : null;
    return element("div", { class: "tools" }, choice, violation,
      element("span", { class: "find" }, this.box, button("‹", "Previous hit", () => this.nextHit(-1)), button("›", "Next hit", () => this.nextHit(1)), this.count),
      element("span", { class: "zoom" }, button("−", "Zoom out", () => this.view.zoom(1.6, this.middle())),
        button("+", "Zoom in", () => this.view.zoom(0.6, this.middle())), button("All", "All of the run", () => this.view.all())));
  }

  legend() {
    const { run } = this;
    const there = new Set(run.operations.outcome);
    const names = CLASS_NAMES.filter((_, outcome) => there.has(outcome));
    if (run.operations.lost.includes(1)) names.push("lost");
    const nodes = run.about.nodes.some((node) => node.states.length > 0) ? ["leader", "down"] : [];
    return element("p", { class: "legend" },
      [...names, ...nodes].map((name) => element("span", {}, element("span", { class: `dot ${name}` }), ` ${name}${MEANINGS[name] ? `: ${MEANINGS[name]}` : ""}`)),
      element("span", { class: "hint" }, "drag moves · Ctrl + wheel or pinch zooms · Shift + drag chooses a part"));
  }

  layout() {
    // What can be scrolled must be reached by keyboard.
    for (const box of document.querySelectorAll(".wide")) {
      if (box.scrollWidth > box.clientWidth) box.setAttribute("tabindex", "0");
      else box.removeAttribute("tabindex");
    }
    const width = this.stage.clientWidth;
    if (width === 0) return;
    this.stageWidth = width;
    const left = width < 560 ? 52 : 84;
    this.view.place(left, width - left - 10);
  }

  changed() {
    if (this.pending) return;
    this.pending = true;
    requestAnimationFrame(() => {
      this.pending = false;
      this.draw();
    });
  }

  draw() {
    if (!this.stageWidth) return;
    this.sums = null;
    this.overview.draw(this);
    for (const row of this.rows) row.draw(this);
    this.drawCursor();
    clearTimeout(this.keeping);
    this.keeping = setTimeout(() => this.keep(), 300);
  }

  // Operations added up in bins of what is shown, once for all rows that ask for as many.
  counted(bins) {
    this.sums ??= new Map();
    if (!this.sums.has(bins)) this.sums.set(bins, countsOf(this.run, this.view.from, this.view.to, bins));
    return this.sums.get(bins);
  }

  drawCursor() {
    const { view } = this;
    const time = view.cursor;
    const inside = time !== null && time >= view.from && time <= view.to;
    this.cursorLine.hidden = !inside;
    if (inside) this.cursorLine.style.transform = `translateX(${view.x(time)}px)`;
    for (const row of this.rows) {
      if (time !== null && !row.folded && row.visible) row.readout.textContent = row.at(time, this);
    }
  }

  pointAt(time) {
    this.view.cursor = Math.max(this.view.least, Math.min(time, this.view.most));
    if (this.view.cursor < this.view.from || this.view.cursor > this.view.to) {
      this.view.show(this.view.cursor - this.view.span / 2, this.view.cursor + this.view.span / 2);
    }
    if (!this.selected) this.details.show();
    this.changed();
  }

  hover(x) {
    if (x < this.view.left || x > this.view.left + this.view.width) return;
    this.view.cursor = this.view.time(x);
    if (!this.selected) this.details.show();
    cancelAnimationFrame(this.hovering);
    this.hovering = requestAnimationFrame(() => {
      this.drawCursor();
      this.rows.find((row) => row.key === "logs")?.draw(this);
    });
  }

  leave() {}

  middle() {
    const { view } = this;
    const inside = view.cursor !== null && view.cursor > view.from && view.cursor < view.to;
    return inside ? view.x(view.cursor) : view.left + view.width / 2;
  }

  moveCursor(share) {
    const { view } = this;
    this.pointAt((view.cursor ?? (view.from + view.to) / 2) + view.span * share);
  }

  pick(event, target) {
    const row = this.rows.find((one) => one.canvas === target);
    const x = this.input.x(event);
    const y = event.clientY - target.getBoundingClientRect().top;
    if (x >= this.view.left) this.view.cursor = this.view.time(x);
    this.select(row?.hit(x, y, this) ?? null);
  }

  pickAtCursor() {
    const time = this.view.cursor ?? (this.view.from + this.view.to) / 2;
    const at = nearest(this.run, this.lane, time);
    if (at >= 0) this.select({ operation: at }, true);
  }

  changeLane(step) {
    const count = this.run.about.rows.length;
    this.lane = (this.lane + step + count) % count;
    this.pickAtCursor();
  }

  // The next operation: of what was found, or else of the same client.
  step(by) {
    const at = this.selected?.operation;
    if (at === undefined) return this.pickAtCursor();
    if (this.found && this.found.list.length > 0) return this.nextHit(by);
    const other = neighbour(this.run, at, "lane", by);
    if (other >= 0) this.select({ operation: other }, true);
  }

  select(selected, show = false) {
    this.selected = selected;
    const at = selected?.operation;
    if (at !== undefined) {
      const { operations } = this.run;
      this.lane = operations.row[at];
      this.view.cursor = operations.start[at];
      if (show && (operations.start[at] < this.view.from || operations.start[at] > this.view.to)) {
        this.view.show(operations.start[at] - this.view.span / 2, operations.start[at] + this.view.span / 2);
      }
    }
    this.details.show();
    this.changed();
  }

  zoomTo(from, to) {
    const margin = Math.max((to - from) * 0.25, 500);
    this.view.glide(from - margin, to + margin);
  }

  // The violation in the middle, what nothing explains selected, its words in focus.
  showViolation() {
    const { run } = this;
    const places = run.marked.length > 0 ? run.marked : [run.odd].filter((at) => at >= 0);
    if (places.length === 0) return;
    const { operations, about } = run;
    const chosen = run.odd >= 0 ? run.odd : places[0];
    const row = this.rows.find((one) => one.key === "clients");
    this.fold(row, false);
    const starts = places.map((at) => operations.start[at]);
    const ends = places.map((at) => Math.min(operations.end[at], about.end));
    let [from, to] = [Math.min(...starts), Math.max(...ends)];
    // What lies far back would make the end too small to see.
    const length = Math.min(operations.end[chosen], about.end) - operations.start[chosen];
    from = Math.max(from, operations.start[chosen] - Math.max(length * 20000, 2e6));
    this.select({ operation: chosen });
    this.zoomTo(from, to);
    this.root.scrollIntoView({ block: "start" });
    this.details.root.focus({ preventScroll: true });
  }

  find(text) {
    if ((this.found?.text ?? "") === text.trim() && this.found) return;
    this.found = search(this.run, text);
    if (this.found) this.found.text = text.trim();
    this.hits = -1;
    const { found } = this;
    const parts = found ? [`${grouped(found.list.length)} operation${found.list.length === 1 ? "" : "s"}`] : [];
    if (found && found.logs.length > 0) parts.push(`${grouped(found.logs.length)} lines`);
    this.count.textContent = parts.join(", ");
    this.changed();
  }

  nextHit(by) {
    const { found } = this;
    if (!found || found.list.length === 0) {
      const line = found?.logs[0];
      if (line !== undefined && this.run.lines.at[line] !== null) this.pointAt(this.run.lines.at[line]);
      return;
    }
    if (this.hits < 0 && by > 0) {
      const from = found.list.findIndex((at) => this.run.operations.start[at] >= this.view.from);
      this.hits = Math.max(from, 0);
    } else this.hits = (this.hits + by + found.list.length) % found.list.length;
    this.select({ operation: found.list[this.hits] }, true);
    this.count.textContent = `${grouped(this.hits + 1)} of ${grouped(found.list.length)} operations`;
  }

  fold(row, folded) {
    row.fold(folded);
    if (folded) this.folds.add(row.key);
    else this.folds.delete(row.key);
    this.changed();
  }

  // A part of the run chosen in the overview.
  selectRange(one, other, moved) {
    if (moved < 4) return;
    const [from, to] = [this.overview.time(this, Math.min(one, other)), this.overview.time(this, Math.max(one, other))];
    this.view.show(from, to);
  }

  centre(x) {
    const time = this.overview.time(this, x), half = this.view.span / 2;
    this.view.glide(time - half, time + half);
  }

  markRange(one, other) {
    this.rangeMark.hidden = one === other;
    this.rangeMark.style.left = `${Math.min(one, other)}px`;
    this.rangeMark.style.width = `${Math.abs(one - other)}px`;
  }

  zoomToRange(one, other) {
    this.view.glide(this.view.time(Math.min(one, other)), this.view.time(Math.max(one, other)));
  }

  // The place in the address: what a link to this moment needs.
  keep() {
    const { view, run } = this;
    const parts = new URLSearchParams();
    const seconds = (micros) => (micros / 1e6).toFixed(6).replace(/\.?0+$/, "");
    if (view.from > view.least || view.to < view.most) parts.set("t", `${seconds(view.from)},${seconds(view.to)}`);
    if (this.sources.length > 1) parts.set("v", run.about.name);
    if (this.selected?.operation !== undefined) parts.set("op", run.operations.index[this.selected.operation]);
    if (this.selected?.fault !== undefined) parts.set("fault", this.selected.fault);
    if (this.found) parts.set("q", this.found.text);
    const folds = [...this.folds].sort().join(",");
    if (folds !== "links") parts.set("fold", folds);
    const text = parts.toString();
    const now = location.hash.slice(1);
    // An address of a section of the page stays until somebody moves.
    if (text === now || (text === "" && !now.includes("="))) return;
    history.replaceState(null, "", text === "" ? location.pathname + location.search : `#${text}`);
  }

  async restore() {
    const parts = new URLSearchParams(location.hash.slice(1));
    if (parts.has("fold")) this.folds = new Set(parts.get("fold").split(",").filter(Boolean));
    if (!this.run || (parts.has("v") && parts.get("v") !== this.run.about.name)) await this.open(parts.get("v"));
    for (const row of this.rows) row.fold(this.folds.has(row.key));
    const [from, to] = (parts.get("t") ?? "").split(",").map((text) => Number(text) * 1e6);
    if (Number.isFinite(from) && Number.isFinite(to) && to > from) this.view.show(from, to);
    if (parts.get("q")) {
      this.box.value = parts.get("q");
      this.find(this.box.value);
    }
    const at = parts.has("op") ? this.run.operations.find(Number(parts.get("op"))) : -1;
    if (at >= 0) this.select({ operation: at });
    else if (this.run.about.faults[parts.get("fault")]) this.select({ fault: Number(parts.get("fault")) });
    if (parts.has("t") || at >= 0) this.root.scrollIntoView({ block: "start" });
  }
}

// The whole run, small, with what is shown as a window in it.
class Overview {
  constructor() {
    this.canvas = element("canvas", { class: "overview", role: "img", "aria-label": "The whole run, with the part that is shown. Drag to choose another part." });
  }

  time({ view }, x) {
    return view.least + ((x - view.left) / view.width) * (view.most - view.least);
  }

  draw(timeline) {
    const { view, run, palette, stageWidth } = timeline;
    const height = 30, ratio = Math.min(window.devicePixelRatio || 1, 2);
    const wide = Math.round(stageWidth * ratio);
    if (this.canvas.width !== wide) {
      this.canvas.width = wide;
      this.canvas.height = height * ratio;
      this.canvas.style.height = `${height}px`;
    }
    const context = (this.context ??= this.canvas.getContext("2d"));
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, stageWidth, height);
    const scale = view.width / (view.most - view.least);
    const x = (time) => view.left + (time - view.least) * scale;
    const { counts } = (this.sums ??= countsOf(run, view.least, view.most, 400));
    let most = 1;
    const sum = (bin) => counts.subarray(bin * COUNTED, (bin + 1) * COUNTED).reduce((all, one) => all + one, 0);
    // A burst that is over in a moment must not make all the rest flat.
    const sums = Array.from({ length: 400 }, (_, bin) => sum(bin)).sort((one, other) => one - other);
    most = Math.max(most, sums[391]);
    for (const fault of run.about.faults) {
      if (fault.start === null) continue;
      context.fillStyle = palette.fault(fault, 0.22);
      context.fillRect(x(fault.start), 0, Math.max(x(fault.end ?? run.about.end) - x(fault.start), 1), height);
    }
    for (let bin = 0; bin < 400; bin += 1) {
      let y = height - 1;
      const fit = Math.min(1, most / Math.max(sum(bin), 1));
      for (const outcome of [OK, REFUSED, INFO, FAIL, LOST]) {
        const high = fit * (counts[bin * COUNTED + outcome] / most) * (height - 4);
        if (high === 0) continue;
        context.fillStyle = palette.outcomes[outcome];
        context.fillRect(view.left + (bin * view.width) / 400, y - Math.max(high, 1), view.width / 400 + 0.3, Math.max(high, 1));
        y -= high;
      }
    }
    if (run.odd >= 0) {
      context.fillStyle = palette.outcomes[LOST];
      context.fillRect(x(run.operations.start[run.odd]) - 1, 0, 2, height);
    }
    context.fillStyle = palette.ground;
    context.globalAlpha = 0.62;
    context.fillRect(view.left, 0, x(view.from) - view.left, height);
    context.fillRect(x(view.to), 0, view.left + view.width - x(view.to), height);
    context.globalAlpha = 1;
    context.strokeStyle = palette.accent;
    context.lineWidth = 1.5;
    context.strokeRect(x(view.from) + 0.5, 0.75, Math.max(x(view.to) - x(view.from), 2) - 1, height - 1.5);
    marginName(context, timeline, view.left < 60 ? "all" : "whole run", height / 2);
  }
}

async function start() {
  const root = document.getElementById("timeline");
  const sources = [...document.querySelectorAll("script.run-data")];
  const timeline = new Timeline(root, sources);
  try {
    await timeline.restore();
  } catch (error) {
    root.textContent = `The timeline could not be drawn: ${error.message}`;
    throw error;
  }
  window.addEventListener("hashchange", () => location.hash.includes("=") && timeline.restore());
  // Operations named in the words of the page lead to their place in the run.
  for (const named of document.querySelectorAll("[data-operation]")) {
    const at = timeline.run.operations.find(Number(named.dataset.operation));
    if (at < 0) continue;
    (named.querySelector(":scope > span:last-of-type") ?? named).append(" ", element("button", { type: "button", class: "link", "aria-label": `Show operation ${named.dataset.operation} in the run`, onclick: () => {
      timeline.select({ operation: at }, true);
      root.scrollIntoView({ block: "start" });
    } }, "show"));
  }
  document.documentElement.dataset.ready = String(Math.round(performance.now()));
  // For measurements and tests.
  window.timeline = timeline;
}

start();
