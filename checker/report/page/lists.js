// The rows that are lists and not drawings: links between nodes, and lines of logs.

// How many frames went from one node to another. There are counts only, for the whole run.
class LinksRow extends Row {
  constructor(run) {
    super("links", run.messages ? "Links" : "Messages between nodes", "");
    const [header, ...rows] = run.about.links;
    const shown = ["frames", "cut", "lost", "delayed", "duplicated", "reordered", "corrupted", "overflowed", "refused", "reset"]
      .map((name) => [name, header.indexOf(name)])
      .filter(([name, column]) => column >= 0 && (name === "frames" || rows.some((row) => Number(row[column]) > 0)));
    const most = Math.max(...rows.map((row) => Number(row[header.indexOf("frames")])), 1);
    const cell = ([name, column], row) => {
      const count = Number(row[column]);
      const bar = name === "frames" ? element("i", { class: "bar", style: `width:${((count / most) * 70).toFixed(1)}px` }) : null;
      return element("td", { "data-label": name }, element("span", {}, bar, count === 0 && name !== "frames" ? "–" : grouped(count)));
    };
    const table = element("table", {},
      element("thead", {}, element("tr", {}, element("th", { class: "left" }, "link"), shown.map(([name]) => element("th", {}, name)))),
      element("tbody", {}, rows.map((row) => element("tr", {},
        element("td", { class: "left", "data-label": "link" }, element("span", {}, `${row[0]} → ${row[1]}`)), shown.map((one) => cell(one, row))))));
    const note = run.messages
      ? "Counts of frames over the whole run."
      : "Counts over the whole run: single messages are recorded only with pcap = true in [cluster], in a lab.";
    this.body.replaceChildren(element("div", { class: "wide links" }, table), element("p", { class: "note" }, note));
  }

  draw() {}
}

const SHOWN_LINES = 300;

// The lines of all logs between the edges of what is shown, by time.
class LogsRow extends Row {
  constructor(run, timeline) {
    super("logs", "Logs", "");
    this.timeline = timeline;
    this.list = element("div", { class: "lines", tabindex: "0", role: "log", "aria-live": "off", "aria-label": "Lines of logs in the time that is shown" });
    this.note = element("p", { class: "note" });
    this.source = element("select", { "aria-label": "Logs of", onchange: () => this.draw(timeline, true) },
      element("option", { value: "" }, "all logs"),
      [...new Set(run.lines.sources.map(([node]) => node))].map((node) => element("option", { value: node }, node)));
    this.root.querySelector(".row-head").insertBefore(this.source, this.readout);
    this.body.replaceChildren(this.list, this.note);
    this.dated = run.lines.at.findIndex((at) => at === null);
    if (this.dated < 0) this.dated = run.lines.at.length;
    this.shown = "";
  }

  draw(timeline) {
    if (this.folded || !this.visible) return;
    const { run, view, found } = timeline;
    const { lines } = run;
    const first = firstAt(lines.at, view.from, this.dated), last = firstAt(lines.at, view.to, this.dated);
    const state = [first, last, this.source.value, found?.text, run.about.name].join("|");
    if (state !== this.shown) {
      this.shown = state;
      this.fill(timeline, first, last);
    }
    this.mark(view);
  }

  fill({ run, view, found }, first, last) {
    const { lines } = run;
    const wanted = found && found.logs.length > 0 ? new Set(found.logs) : null;
    const fits = (at) => (!wanted || wanted.has(at)) && (this.source.value === "" || lines.sources[lines.from[at]][0] === this.source.value);
    const range = (from, to) => Array.from({ length: to - from }, (_, step) => from + step).filter(fits);
    const inside = range(first, last);
    const undated = range(this.dated, lines.at.length);
    // The middle of what is shown is what somebody looks at.
    const begin = Math.max(0, Math.floor((inside.length - SHOWN_LINES) / 2));
    const shown = [...inside.slice(begin, begin + SHOWN_LINES), ...undated.slice(0, SHOWN_LINES)];
    this.items = shown.map((at) => this.line(run, at, view));
    this.list.replaceChildren(...this.items);
    const notes = [];
    if (inside.length > SHOWN_LINES) notes.push(`${grouped(inside.length)} lines in this time, ${SHOWN_LINES} of them shown: zoom in for the others.`);
    if (inside.length + undated.length === 0) notes.push(lines.at.length === 0 ? "The nodes wrote nothing into a log." : "No line in this time.");
    if (undated.length > 0) notes.push(`${grouped(undated.length)} lines without a time that can be compared with the run's, at the end.`);
    if (lines.left_out > 0) notes.push(`${grouped(lines.left_out)} lines further from faults and the violation are only in the files.`);
    if (run.about.faults.some((fault) => ["jump", "drift", "strobe", "freeze"].includes(fault.kind))) notes.push("Clocks were wrong in this run, and with them times in logs.");
    this.note.textContent = notes.join(" ");
  }

  line(run, at, view) {
    const { lines } = run;
    const [node, file] = lines.sources[lines.from[at]];
    const time = lines.at[at];
    const made = element("p", { title: file },
      element("time", {}, time === null ? "–" : moment(run, time, Math.min(view.span / 1000, 1000))),
      element("b", {}, node), ` ${lines.text[at]}`);
    made.at = time;
    if (/\b(error|fatal|panic|crit|warn|fail)/i.test(lines.text[at])) made.className = "grave";
    if (node === "bench") made.className = "bench";
    if (time !== null) made.addEventListener("click", () => this.timeline.pointAt(time));
    return made;
  }

  // Marks the line nearest to the cursor, and shows it.
  mark(view) {
    let best = null;
    for (const item of this.items) {
      if (item.at === null || view.cursor === null) continue;
      if (best === null || Math.abs(item.at - view.cursor) < Math.abs(best.at - view.cursor)) best = item;
    }
    if (best === this.near) return;
    this.near?.classList.remove("near");
    this.near = best;
    if (!best || this.list.matches(":hover")) return;
    best.classList.add("near");
    this.list.scrollTop = best.offsetTop - this.list.offsetTop - this.list.clientHeight / 2;
  }

  at() {
    return "";
  }
}
