// What is selected, in words: an operation, a fault, or a moment.

class Details {
  constructor(timeline) {
    this.timeline = timeline;
    this.root = element("aside", { class: "details", "aria-label": "Selected", tabindex: "-1" });
  }

  show() {
    const { selected } = this.timeline;
    const content =
      selected?.operation !== undefined ? this.operation(selected.operation)
      : selected?.fault !== undefined ? this.fault(selected.fault)
      : this.moment();
    const close = selected && element("button", { type: "button", class: "close", "aria-label": "Close", onclick: () => this.timeline.select(null) }, "×");
    // On a narrow screen what is selected stays in sight below the timeline.
    this.root.classList.toggle("selected", Boolean(selected));
    this.root.replaceChildren(...[close, ...content].filter(Boolean));
  }

  list(pairs) {
    const parts = pairs.filter(([, value]) => value !== "" && value !== undefined);
    return element("dl", {}, parts.map(([term, value]) => [element("dt", {}, term), element("dd", {}, value)]));
  }

  link(text, select) {
    return element("button", { type: "button", class: "link", onclick: select }, text);
  }

  operation(at) {
    const { run } = this.timeline;
    const { operations, about } = run;
    const start = operations.start[at], end = operations.end[at];
    const outcome = operations.lost[at] ? LOST : operations.outcome[at];
    const name = [...CLASS_NAMES, "lost"][outcome];
    const faults = about.faults.filter((fault) => fault.start !== null && fault.start <= Math.min(end, about.end) && (fault.end ?? Infinity) > start);
    const node = about.nodes.find((one) => one.name === nodeName(run, at));
    const phase = about.phases.find(([, from, to]) => from <= start && start < to);
    const exact = Math.max(1, this.timeline.view.span / 1e4);
    return [
      element("p", { class: "kicker" }, `Operation ${operations.index[at]}`),
      element("h3", {}, element("code", {}, shortened(request(run, at), 160))),
      element("p", { class: "outcome" }, element("span", { class: `dot ${name}` }), ` ${shortened(answer(run, at), 200)}`),
      this.list([
        ["client", clientName(run, at)],
        ["node", node ? `${node.name}, last seen as ${stateOf(run, node, start)}` : nodeName(run, at)],
        ["sent", `${moment(run, start, exact)}${phase ? ` (${phaseName(phase[0])})` : ""}`],
        ["waited", operations.wait[at] > 1000 ? `${duration(operations.wait[at])} after it was due` : ""],
        ["ended", end === Infinity ? "never" : `${moment(run, end, exact)}, after ${duration(end - start)}`],
        ["error", errorName(run, at)],
        ["faults", faults.map((fault) => fault.label).join("; ") || "none in force"],
      ]),
      this.place(at),
      element("p", { class: "steps" },
        this.step("client", "lane", at, -1), this.step("client", "lane", at, 1),
        this.step("key", "key", at, -1), this.step("key", "key", at, 1)),
    ];
  }

  step(word, column, at, by) {
    if (column === "key" && this.timeline.run.operations.key[at] === 0) return null;
    const other = neighbour(this.timeline.run, at, column, by);
    if (other < 0) return null;
    const text = by < 0 ? `← same ${word}` : `same ${word} →`;
    return element("button", { type: "button", onclick: () => this.timeline.select({ operation: other }, true) }, text);
  }

  // What an operation has to do with the violation.
  place(at) {
    const { run } = this.timeline;
    const { violation } = run.about;
    if (!violation) return null;
    const index = run.operations.index[at];
    const parts = [];
    const cycle = violation.operations.indexOf(index);
    if (violation.edges.length > 0 && cycle >= 0) parts.push(...this.cycle(cycle));
    if (violation.odd === index) {
      parts.push(element("p", { class: "odd" }, "Nothing explains this operation. ", violation.summary));
    }
    const need = violation.needs.find(([operation]) => operation === index);
    if (need) parts.push(element("p", {}, `It ${need[1].replace(/\.$/, "")}.`));
    if (violation.order.length > 0 && (cycle >= 0 || need || violation.odd === index)) parts.push(this.order(index));
    return parts.length > 0 ? element("div", { class: "place" }, parts) : null;
  }

  cycle(place) {
    const { violation } = this.timeline.run.about;
    const count = violation.edges.length;
    return [-1, 0].map((step) => {
      const from = (place + step + count) % count;
      const [kind, why] = violation.edges[from];
      return element("p", {}, element("strong", {}, `T${from + 1} before T${((from + 1) % count) + 1} (${kind}): `), why);
    });
  }

  // The longest order that was found, with the state after each step.
  order(index) {
    const { run } = this.timeline;
    const { violation } = run.about;
    const items = violation.order.map((step) => this.stepOf(step.operation, `→ ${step.state}`, step.operation === index));
    if (violation.odd !== null) items.push(this.stepOf(violation.odd, "does not fit", violation.odd === index));
    return element("details", { open: true }, element("summary", {}, "Longest order found, with the state after each step"),
      element("ol", { start: violation.before + 1 }, items));
  }

  stepOf(index, text, current) {
    const { run } = this.timeline;
    const at = run.operations.find(index);
    const words = at < 0 ? `operation ${index}` : shortened(request(run, at), 60);
    return element("li", { class: current ? "current" : undefined },
      this.link(words, () => this.timeline.select({ operation: at }, true)), ` ${text}`);
  }

  fault(index) {
    const { run } = this.timeline;
    const fault = run.about.faults[index];
    return [
      element("p", { class: "kicker" }, `Fault ${fault.number}`),
      element("h3", {}, fault.label),
      this.list([
        ["kind", fault.kind],
        ["nodes", fault.nodes.join(", ")],
        ["began", moment(run, fault.start, 1000)],
        ["healed", fault.end === null ? "never" : `${moment(run, fault.end, 1000)}, after ${duration(fault.end - fault.start)}`],
        ["evidence", fault.evidence || "none"],
        ["at the heal", fault.healed],
      ]),
      element("p", { class: "steps" },
        element("button", { type: "button", onclick: () => this.timeline.zoomTo(fault.start, fault.end ?? run.about.end) }, "Zoom to it")),
    ];
  }

  // Everything at the cursor.
  moment() {
    const { run, view } = this.timeline;
    if (view.cursor === null) {
      return [
        element("p", { class: "kicker" }, "Nothing selected"),
        element("p", {}, "Point at the timeline to see one moment in every row. Select an operation or a fault to see all of it."),
        element("p", { class: "keys" }, "Keys in the timeline: ← → move, + − zoom, 0 all, , and . cursor, ↑ ↓ client, Enter selects, n and p next and previous, v the violation, Esc clears."),
      ];
    }
    const time = view.cursor;
    const open = openAt(run, time);
    const items = open.slice(0, 30).map((at) => element("li", {},
      this.link(shortened(inShort(run, at), 70), () => this.timeline.select({ operation: at })), ` ${clientName(run, at)}`));
    return [
      element("p", { class: "kicker" }, "At this moment"),
      element("h3", {}, moment(run, time, view.span / 1000)),
      this.list([
        ["faults", inForce(run, time).map((fault) => fault.label).join("; ") || "none"],
        ...run.about.nodes.map((node) => [node.name, stateOf(run, node, time)]),
        ["open", open.length === 0 ? "no operation" : `${grouped(open.length)} operations`],
      ]),
      element("ul", { class: "open" }, items),
      open.length > 30 && element("p", {}, `and ${open.length - 30} more`),
    ];
  }
}
