// Clients as lanes, operations as bars in the colour of their outcome.

class ClientsRow extends Row {
  constructor(run) {
    const clients = run.about.names.lanes.length;
    super("clients", "Clients", `Operations of ${clients} clients over time, coloured by outcome.`);
    this.count = run.about.rows.length;
    this.lane = Math.max(1, Math.min(18, Math.floor(420 / Math.max(this.count, 1))));
  }

  height() {
    return this.count * this.lane + 4;
  }

  // The y of a row's bars, and how high they are.
  bar(row) {
    const gap = this.lane >= 8 ? 2 : this.lane >= 5 ? 1 : 0;
    return [2 + row * this.lane, this.lane - gap];
  }

  paint(context, timeline, view, palette, height) {
    shadeFaults(context, timeline, height);
    const { operations } = timeline.run;
    context.save();
    clipToPlot(context, view, height);
    const many = operations.firstAt(view.to) - operations.firstAt(view.from - operations.short) > MANY;
    this.bars ??= new Bars();
    this.bars.reset(this.count, Math.round(view.width * this.ratio), Math.round(height * this.ratio));
    const labels = many ? this.markSums(timeline) : this.markEach(timeline);
    const scaled = Array.from({ length: this.count }, (_, lane) => this.bar(lane).map((part) => part * this.ratio));
    this.bars.draw(context, view.left, this.ratio, scaled);
    this.paintLabels(context, timeline, labels);
    context.restore();
    this.paintNames(context, timeline);
    this.paintSelection(context, timeline);
  }

  // The gravest outcome of each client in each part of the run.
  markSums({ run, view, palette, found }) {
    const { summary } = run;
    const first = summary.bin(view.from), last = summary.bin(view.to);
    const stride = Math.max(1, Math.floor((last - first) / (view.width * this.ratio * 1.2)));
    const scale = (view.width * this.ratio) / view.span;
    const left = (summary.from - view.from) * scale, wide = summary.step * scale;
    const pixels = found ? palette.faint : palette.pixels;
    for (let lane = 0; lane < this.count; lane += 1) {
      const base = lane * BINS;
      let worst = 0, begin = first;
      for (let bin = first; bin <= last + stride; bin += stride) {
        let grave = 0;
        for (let part = bin; part < bin + stride && part <= last; part += 1) {
          if (summary.worst[base + part] > grave) grave = summary.worst[base + part];
        }
        if (grave === worst && bin <= last) continue;
        if (worst > 0) this.bars.mark(lane, left + begin * wide, left + bin * wide, pixels[OUTCOME_OF[worst]]);
        worst = grave;
        begin = bin;
      }
    }
    for (const at of found?.list ?? []) this.markOne(run, view, at, palette.pixels);
    return [];
  }

  markOne({ operations }, view, at, pixels) {
    if (operations.end[at] < view.from || operations.start[at] > view.to) return;
    const scale = (view.width * this.ratio) / view.span;
    const from = (operations.start[at] - view.from) * scale;
    const outcome = operations.lost[at] ? LOST : operations.outcome[at];
    this.bars.mark(operations.row[at], from, Math.max((Math.min(operations.end[at], view.to) - view.from) * scale, from + 2), pixels[outcome]);
  }

  // Each operation; the places of those that are wide enough for words.
  markEach({ run, view, palette, found }) {
    const { operations } = run;
    const scale = (view.width * this.ratio) / view.span;
    const right = new Float64Array(this.count).fill(-1);
    const kept = new Uint8Array(this.count);
    const labels = [];
    operations.open(view.from, view.to, (at) => {
      const lane = operations.row[at];
      const from = (operations.start[at] - view.from) * scale;
      const to = Math.max((Math.min(operations.end[at], view.to) - view.from) * scale, from + 1);
      const outcome = operations.lost[at] ? LOST : operations.outcome[at];
      const grave = outcome === LOST ? 6 : GRAVITY[outcome];
      const sought = found === null || found.mask[at] === 1;
      // What falls on the same pixel as a graver one before it cannot be seen.
      if (to < right[lane] + 1 && grave <= kept[lane] && (found === null || !sought)) return;
      // A long one came first, whatever began before it.
      if (operations.end[at] - operations.start[at] <= operations.short) right[lane] = Math.max(right[lane], to);
      kept[lane] = to - from > 1 ? 0 : grave;
      this.bars.mark(lane, from, to - from > 4 ? to - 1 : to, (sought ? palette.pixels : palette.faint)[outcome]);
      if (to - from > 44 * this.ratio && this.lane > 10) labels.push(at);
    });
    return labels;
  }

  paintLabels(context, { run, view, palette }, labels) {
    const { operations } = run;
    context.font = `11px ${FONT}`;
    for (const at of labels) {
      const [y, high] = this.bar(operations.row[at]);
      const x = Math.max(view.x(operations.start[at]), view.left) + 3;
      context.fillStyle = palette.dark || operations.outcome[at] === INFO ? "#11161b" : "#fff";
      context.fillText(fitText(context, inShort(run, at), view.x(Math.min(operations.end[at], view.to)) - x - 3), x, y + high / 2 + 0.5);
    }
    context.font = `12px ${FONT}`;
  }

  paintNames(context, timeline) {
    const every = Math.max(1, Math.ceil(14 / this.lane));
    timeline.run.about.rows.forEach((name, row) => {
      if (row % every !== 0 || name === "") return;
      const [y, high] = this.bar(row);
      const short = timeline.view.left < 60 ? name.replace(/^client /, "c").replace(/^process /, "p") : name;
      marginName(context, timeline, short, y + high / 2);
    });
  }

  // Frames around the operation that is selected and those of the violation.
  paintSelection(context, { run, view, palette, selected }) {
    const marked = run.marked;
    const frame = (at, colour, thick) => {
      const { operations } = run;
      if (at < 0 || operations.end[at] < view.from || operations.start[at] > view.to) return;
      const [y, high] = this.bar(operations.row[at]);
      const from = Math.max(view.x(operations.start[at]), view.left);
      const to = Math.min(view.x(operations.end[at]), view.left + view.width);
      context.strokeStyle = colour;
      context.lineWidth = thick;
      context.strokeRect(from - 1.5, y - 1.5, Math.max(to - from, 1) + 3, high + 3);
    };
    marked.forEach((at) => frame(at, palette.text, 1));
    if (run.odd >= 0) frame(run.odd, palette.outcomes[LOST], 2);
    if (selected?.operation !== undefined) frame(selected.operation, palette.accent, 3);
  }

  at(time, { run }) {
    const open = openAt(run, time);
    return `${grouped(open.length)} of ${grouped(run.about.names.lanes.length)} busy`;
  }

  hit(x, y, { run, view }) {
    const row = Math.floor((y - 2) / this.lane);
    if (row < 0 || row >= this.count) return null;
    const at = nearest(run, row, view.time(x), (view.span / view.width) * 6);
    return at < 0 ? null : { operation: at };
  }
}

// The operations that are open at a time.
function openAt(run, time) {
  const open = [];
  run.operations.open(time, time + 0.5, (at) => open.push(at));
  return open.sort((one, other) => one - other);
}

// The operation in a row at a time, or the nearest one that is not further away than the slack; -1 if there is none.
function nearest(run, row, time, slack = run.about.end) {
  const { operations } = run;
  let best = -1, distance = slack;
  operations.open(time - slack, time + slack, (at) => {
    if (operations.row[at] !== row) return;
    const away = Math.max(operations.start[at] - time, time - operations.end[at], 0);
    // Of several at the time itself the last to begin is the one that is seen.
    if (away < distance || (away === 0 && (distance > 0 || at > best))) {
      best = at;
      distance = away;
    }
  });
  return best;
}

// The next operation of the same client or on the same key; -1 if there is none.
function neighbour(run, at, column, step) {
  const { operations } = run;
  for (let other = at + step; other >= 0 && other < operations.count; other += step) {
    if (operations[column][other] === operations[column][at]) return other;
  }
  return -1;
}
