// The rows of the timeline above and below the clients.

// Seconds since the load began, and the phases of the run.
class AxisRow extends Row {
  constructor() {
    super("axis", "Time", "Time axis: seconds since the load began, and the phases of the run.");
  }

  height() {
    return 38;
  }

  paint(context, { run }, view, palette) {
    for (const [name, start, end] of run.about.phases) {
      const from = Math.max(view.x(start), view.left), to = Math.min(view.x(end), view.left + view.width);
      if (to <= from) continue;
      context.fillStyle = name === "load" ? palette.soft : palette.line;
      context.fillRect(from, 0, to - from - 1, 16);
      context.fillStyle = palette.grey;
      context.fillText(fitText(context, phaseName(name), to - from - 8), from + 4, 9);
    }
    const step = roundStep(view.span, view.width / 90);
    const first = Math.ceil((view.from - run.about.load) / step) * step + run.about.load;
    context.textAlign = "center";
    for (let time = first; time <= view.to; time += step) {
      const x = view.x(time);
      context.fillStyle = palette.line;
      context.fillRect(x, 18, 1, 5);
      context.fillStyle = palette.grey;
      if (x > view.left + 18 && x < view.left + view.width - 18) context.fillText(moment(run, time, step), x, 30);
    }
    context.textAlign = "left";
  }

  at(time, { run, view }) {
    const phase = run.about.phases.find(([, start, end]) => start <= time && time < end);
    return `${moment(run, time, view.span / 1000)}${phase ? `, ${phaseName(phase[0])}` : ""}`;
  }
}

// Shares of ok, refused, fail, info and lost operations by the moment they were sent.
class StripRow extends Row {
  constructor() {
    super("strip", "Outcomes by time of sending", "Shares of operations that were ok, refused, fail, info or lost, by the time they were sent.");
  }

  height() {
    return 46;
  }

  paint(context, timeline, view, palette, height) {
    const bins = Math.max(1, Math.round(view.width / 3));
    const { counts } = timeline.counted(bins);
    const wide = view.width / bins;
    const order = [OK, REFUSED, INFO, FAIL, LOST];
    for (let bin = 0; bin < bins; bin += 1) {
      let all = 0;
      for (let outcome = 0; outcome < COUNTED; outcome += 1) all += counts[bin * COUNTED + outcome];
      if (all === 0) continue;
      let bottom = height - 2;
      for (const outcome of order) {
        const count = counts[bin * COUNTED + outcome];
        if (count === 0) continue;
        // One failure among thousands must still be seen.
        const part = outcome === OK ? (count / all) * (height - 4) : Math.max((count / all) * (height - 4), 2);
        const top = Math.max(bottom - part, 2);
        context.fillStyle = palette.outcomes[outcome];
        context.fillRect(view.left + bin * wide, top, wide + 0.3, bottom - top);
        bottom = top;
      }
    }
    marginName(context, timeline, "share", height / 2);
  }

  at(time, timeline) {
    const { run, view } = timeline;
    const half = view.width > 0 ? (view.span / view.width) * 4 : 1000;
    const { counts } = countsOf(run, time - half, time + half, 1);
    const words = [...CLASS_NAMES, "lost"];
    const parts = words.map((word, outcome) => (counts[outcome] > 0 ? `${grouped(counts[outcome])} ${word}` : ""));
    return parts.filter(Boolean).join(" · ");
  }
}

// Faults as bars, as many below each other as overlap.
class FaultsRow extends Row {
  constructor(run) {
    super("faults", "Faults", `Faults over time: ${run.about.faults.map((fault) => fault.label).join("; ") || "none"}.`);
    const ends = [];
    this.levels = run.about.faults.map((fault) => {
      if (fault.start === null) return -1;
      const free = ends.findIndex((end) => end <= fault.start);
      const level = free < 0 ? ends.length : free;
      ends[level] = fault.end ?? Infinity;
      return level;
    });
    this.lines = Math.max(ends.length, 1);
  }

  height() {
    return this.lines * 22 + 4;
  }

  paint(context, timeline, view, palette) {
    context.save();
    clipToPlot(context, view, this.height());
    timeline.run.about.faults.forEach((fault, index) => {
      const level = this.levels[index];
      if (level < 0) return;
      const from = view.x(fault.start), to = Math.max(view.x(fault.end ?? timeline.run.about.end), from + 3);
      if (to < view.left || from > view.left + view.width) return;
      const y = level * 22 + 3;
      context.fillStyle = palette.fault(fault, fault.effect ? 0.24 : 0.08);
      context.fillRect(from, y, to - from, 18);
      context.fillStyle = palette.fault(fault, 1);
      context.fillRect(from, y, 3, 18);
      context.fillStyle = palette.text;
      this.paintLabel(context, timeline, index, from, to, y + 9.5);
    });
    context.restore();
    if (timeline.run.about.faults.length === 0) {
      context.fillStyle = palette.grey;
      context.fillText("no fault", view.left + 4, 13);
    }
  }

  // The label of a fault: in its bar and behind it as far as nothing else begins, or before it where that is longer.
  paintLabel(context, { run, view }, index, from, to, y) {
    const { faults } = run.about;
    const same = (at) => this.levels[at] === this.levels[index];
    const next = faults.find((_, at) => at > index && same(at));
    const last = faults.findLast((_, at) => at < index && same(at));
    const begin = Math.max(from, view.left) + 7, right = view.left + view.width;
    const room = Math.max(Math.min(to, right), next ? view.x(next.start) : right) - begin - 4;
    const before = from - Math.max(last ? view.x(last.end ?? run.about.end) : view.left, view.left) - 8;
    const { label } = faults[index];
    if (context.measureText(label).width > room && before > room) {
      const text = fitText(context, label, before);
      context.fillText(text, from - 4 - context.measureText(text).width, y);
    } else context.fillText(fitText(context, label, room), begin, y);
  }

  at(time, { run }) {
    return inForce(run, time).map((fault) => fault.label).join(" · ");
  }

  hit(x, y, { run, view }) {
    const time = view.time(x), slack = (view.span / view.width) * 4;
    const index = run.about.faults.findIndex((fault, at) => {
      return this.levels[at] === Math.floor((y - 3) / 22) && fault.start - slack <= time && time <= (fault.end ?? Infinity) + slack;
    });
    return index < 0 ? null : { fault: index };
  }
}

// The faults in force at a time.
function inForce(run, time) {
  return run.about.faults.filter((fault) => fault.start !== null && fault.start <= time && time < (fault.end ?? Infinity));
}

// What faults do to a node that its own words do not tell.
const PAUSING = ["pause"];
const CUTTING = ["partition", "one-way", "swizzle"];
const WORDS = { pause: "paused", partition: "cut off", "one-way": "cut one way", swizzle: "cut off" };

// The state of a node at a time, in words.
function stateOf(run, node, time) {
  const states = node.states;
  let low = 0, high = states.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (states[middle].at <= time) low = middle + 1;
    else high = middle;
  }
  const state = states[low - 1];
  const faults = inForce(run, time).filter((fault) => fault.nodes.includes(node.name));
  const words = faults.map((fault) => WORDS[fault.kind]).filter(Boolean);
  if (state) words.unshift(state.round === undefined ? state.is : `${state.is} ${state.round}`);
  return words.join(", ") || "not known";
}

function appliedAt(node, time) {
  const points = node.applied;
  let low = 0, high = points.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (points[middle][0] <= time) low = middle + 1;
    else high = middle;
  }
  return low === 0 ? null : points[low - 1][1];
}

// Each node: its role with its round or term, and how much it has applied beside the furthest one.
class NodesRow extends Row {
  constructor(run) {
    super("nodes", "Nodes", `State of ${run.about.nodes.map((node) => node.name).join(", ")} over time: leader, follower, down, paused or cut off, and slots applied.`);
  }

  height({ run }) {
    return run.about.nodes.length * 36 + 2;
  }

  paint(context, timeline, view, palette) {
    const { run } = timeline;
    const furthest = Math.max(...run.about.nodes.map((node) => appliedAt(node, view.to) ?? 0));
    const least = Math.min(...run.about.nodes.map((node) => appliedAt(node, view.from) ?? 0));
    run.about.nodes.forEach((node, index) => {
      const top = index * 36 + 3;
      marginName(context, timeline, node.name, top + 8, palette.text);
      context.save();
      clipToPlot(context, view, this.height(timeline));
      this.paintStates(context, timeline, node, top);
      this.paintApplied(context, timeline, node, top + 18, least, furthest);
      context.restore();
    });
  }

  paintStates(context, { run, view, palette }, node, top) {
    const colours = { leader: palette.accent, follower: palette.line, up: palette.line, down: palette.outcomes[LOST] };
    const right = view.left + view.width;
    let last = -1;
    node.states.forEach((state, index) => {
      const from = Math.max(view.x(state.at), view.left);
      // What comes after the run's end is only how the nodes were stopped.
      const to = Math.min(view.x(Math.min(node.states[index + 1]?.at ?? Infinity, run.about.end)), right);
      if (to <= from || to < view.left || from > right || to - last < 0.7) return;
      last = to;
      context.fillStyle = colours[state.is];
      context.fillRect(from, top, Math.max(to - from, 0.8), 14);
      if (to - from < 26) return;
      context.fillStyle = state.is === "leader" || state.is === "down" ? palette.ground : palette.text;
      const name = state.round === undefined || state.is === "down" ? state.is : `${state.is} ${state.round}`;
      context.fillText(fitText(context, name, to - from - 8), from + 4, top + 7.5);
    });
    for (const fault of run.about.faults) {
      const word = WORDS[fault.kind];
      if (!word || fault.start === null || !fault.nodes.includes(node.name)) continue;
      const from = Math.max(view.x(fault.start), view.left), to = Math.min(view.x(fault.end ?? run.about.end), right);
      if (to <= from) continue;
      context.save();
      context.beginPath();
      context.rect(from, top, to - from, 14);
      context.clip();
      context.strokeStyle = palette.fault(fault, 0.9);
      context.lineWidth = 1.5;
      context.beginPath();
      for (let x = from - (from % 6) - 14; x < to; x += 6) {
        context.moveTo(x, top + 14);
        context.lineTo(x + 14, top);
      }
      context.stroke();
      context.restore();
      context.fillStyle = palette.ground;
      const text = fitText(context, word, to - from - 8);
      if (text) {
        const room = context.measureText(text).width + 8;
        context.fillRect(from + 2, top + 1, room, 12);
        context.fillStyle = palette.text;
        context.fillText(text, from + 6, top + 7.5);
      }
    }
  }

  paintApplied(context, { view, palette }, node, top, least, furthest) {
    const y = (slots) => top + 13 - ((slots - least) / Math.max(furthest - least, 1)) * 12;
    context.strokeStyle = palette.grey;
    context.lineWidth = 1.2;
    context.beginPath();
    let before = null, last = -9;
    for (const [time, slots] of node.applied) {
      const x = view.x(time);
      if (time > view.to) break;
      if (time >= view.from && x - last > 0.8) {
        if (before !== null) context.lineTo(x, y(before));
        context[before === null ? "moveTo" : "lineTo"](x, y(slots));
        last = x;
      } else if (time < view.from) context.moveTo(view.left, y(slots));
      before = slots;
    }
    if (before !== null) context.lineTo(view.left + view.width, y(before));
    context.stroke();
  }

  at(time, { run }) {
    const parts = run.about.nodes.map((node) => {
      const applied = appliedAt(node, time);
      return `${node.name} ${stateOf(run, node, time)}${applied === null ? "" : `, slot ${grouped(applied)}`}`;
    });
    return parts.join(" · ");
  }
}

// Operations sent a second, by outcome.
class ThroughputRow extends Row {
  constructor() {
    super("throughput", "Throughput", "Operations sent a second, by outcome.");
  }

  paint(context, timeline, view, palette, height) {
    shadeFaults(context, timeline, height);
    const bins = Math.max(1, Math.round(view.width / 6));
    const { counts } = timeline.counted(bins);
    const seconds = view.span / bins / 1e6;
    let most = 0;
    for (let bin = 0; bin < bins; bin += 1) {
      let all = 0;
      for (let outcome = 0; outcome < COUNTED; outcome += 1) all += counts[bin * COUNTED + outcome];
      most = Math.max(most, all);
    }
    this.scaleName = `${grouped(most / seconds)}/s`;
    const wide = view.width / bins;
    const scale = (height - 8) / Math.max(most, 1);
    for (let bin = 0; bin < bins; bin += 1) {
      let y = height - 2;
      for (const outcome of [OK, REFUSED, INFO, FAIL, LOST]) {
        const count = counts[bin * COUNTED + outcome];
        if (count === 0) continue;
        context.fillStyle = palette.outcomes[outcome];
        context.fillRect(view.left + bin * wide, y - count * scale, wide + 0.3, count * scale);
        y -= count * scale;
      }
    }
    marginName(context, timeline, this.scaleName, 10);
    marginName(context, timeline, "0", height - 6);
  }

  at(time, { run, view }) {
    const half = Math.max(view.span / 100, 50000);
    const { counts } = countsOf(run, time - half, time + half, 1);
    const all = counts.reduce((sum, count) => sum + count, 0);
    return `${grouped(all / (2 * half / 1e6))} sent/s, ${grouped(counts[OK] / (2 * half / 1e6))} ok/s`;
  }
}

// Latency of answered operations: how many took how long, darker where there are more, with median and 99th percentile.
class LatencyRow extends Row {
  constructor() {
    super("latency", "Latency", "Latency of answered operations on a logarithmic scale, with the median and the 99th percentile.");
  }

  height() {
    return 120;
  }

  paint(context, timeline, view, palette, height) {
    shadeFaults(context, timeline, height);
    const bins = Math.max(1, Math.round(view.width / 4));
    const { latencies } = timeline.counted(bins);
    let lowest = LATENCIES, highest = 0, most = 1;
    for (let at = 0; at < latencies.length; at += 1) {
      if (latencies[at] === 0) continue;
      const row = at % LATENCIES;
      lowest = Math.min(lowest, row);
      highest = Math.max(highest, row);
      most = Math.max(most, latencies[at]);
    }
    if (lowest > highest) return;
    lowest = Math.max(lowest - 1, 0);
    highest += 2;
    const y = (row) => height - 4 - ((row - lowest) / (highest - lowest)) * (height - 8);
    for (let micros = 10; micros <= 1e8; micros *= 10) {
      const row = (Math.log10(micros) - 1) * 6;
      if (row < lowest || row > highest) continue;
      context.fillStyle = palette.line;
      context.fillRect(view.left, y(row), view.width, 1);
      marginName(context, timeline, duration(micros), Math.min(Math.max(y(row), 8), height - 8));
    }
    const wide = view.width / bins;
    // One pixel for each bin and row, drawn larger: thousands of rectangles would take longer.
    const image = new ImageData(bins, highest - lowest);
    const pixels = new Uint32Array(image.data.buffer), colour = palette.pixels[OK] & 0xffffff;
    const lines = [[], []];
    for (let bin = 0; bin < bins; bin += 1) {
      let all = 0;
      for (let row = lowest; row < highest; row += 1) {
        const count = latencies[bin * LATENCIES + row];
        if (count === 0) continue;
        all += count;
        const strength = 0.18 + 0.6 * Math.min(Math.log1p(count) / Math.log1p(most), 1);
        pixels[(highest - 1 - row) * bins + bin] = (Math.round(strength * 255) << 24) | colour;
      }
      if (all === 0) continue;
      const middle = view.left + (bin + 0.5) * wide;
      lines[0].push([middle, y(quantile(latencies, bin, all, 0.5) + 0.5)]);
      lines[1].push([middle, y(quantile(latencies, bin, all, 0.99) + 0.5)]);
    }
    this.drawLarge(context, image, view.left, y(highest), view.width, y(lowest) - y(highest));
    lines.forEach((points, at) => {
      context.strokeStyle = at === 0 ? palette.text : palette.outcomes[INFO];
      context.lineWidth = 1.4;
      context.beginPath();
      // Where nothing was answered for a while there is no line.
      points.forEach(([x, top], at) => context[at > 0 && x - points[at - 1][0] < wide * 4 ? "lineTo" : "moveTo"](x, top));
      context.stroke();
    });
  }

  drawLarge(context, image, x, y, width, height) {
    const small = (this.small ??= document.createElement("canvas"));
    small.width = image.width;
    small.height = image.height;
    small.getContext("2d").putImageData(image, 0, 0);
    context.imageSmoothingEnabled = false;
    context.drawImage(small, x, y, width, height);
  }

  at(time, { run, view }) {
    const half = Math.max(view.span / 100, 50000);
    const { latencies } = countsOf(run, time - half, time + half, 1);
    const all = latencies.reduce((sum, count) => sum + count, 0);
    if (all === 0) return "no answer";
    const about = (share) => duration(latencyOf(quantile(latencies, 0, all, share) + 0.5));
    return `about ${about(0.5)} median, ${about(0.99)} at 99 %`;
  }
}

function quantile(latencies, bin, all, share) {
  let sum = 0;
  for (let row = 0; row < LATENCIES; row += 1) {
    sum += latencies[bin * LATENCIES + row];
    if (sum >= all * share) return row;
  }
  return LATENCIES - 1;
}
