// Messages between nodes as a space-time diagram: a line for each node, and one from sender to receiver for each message.

const DRAWN_MESSAGES = 4000;
const END = 24;

class MessagesRow extends Row {
  constructor(run) {
    super("messages", "Messages between nodes", `Messages between ${run.about.messages.names.join(", ")} over time.`);
    // Nodes first, clients below them.
    const names = run.about.messages.names;
    const order = [...names.keys()].sort((one, other) => Number(names[one] === "clients") - Number(names[other] === "clients"));
    this.place = new Uint8Array(names.length);
    order.forEach((end, place) => (this.place[end] = place));
  }

  height({ run }) {
    return run.about.messages.names.length * END + 22;
  }

  y(end) {
    return 12 + this.place[end] * END;
  }

  paint(context, timeline, view, palette, height) {
    const { messages, about } = timeline.run;
    shadeFaults(context, timeline, height);
    about.messages.names.forEach((name, end) => {
      marginName(context, timeline, name, this.y(end), palette.text);
      context.fillStyle = palette.line;
      context.fillRect(view.left, this.y(end), view.width, 1);
    });
    context.save();
    clipToPlot(context, view, height);
    const first = firstAt(messages.start, view.from), last = firstAt(messages.start, view.to);
    this.few = last - first <= DRAWN_MESSAGES;
    if (this.few) this.paintLines(context, timeline, first, last);
    else this.paintCounts(context, timeline, first, last);
    context.restore();
    context.fillStyle = palette.grey;
    const sampled = about.messages.shown < about.messages.all ? `, of which the page has ${grouped(about.messages.shown)} of ${grouped(about.messages.all)}` : "";
    const what = this.few ? `${grouped(last - first)} messages, red ones did not arrive` : `${grouped(last - first)} messages: dark where a node sent many, red where some did not arrive; zoom in to see each`;
    context.fillText(fitText(context, what + sampled, view.width - 8), view.left + 4, height - 8);
  }

  paintLines(context, { run, view, palette }, first, last) {
    const { messages } = run;
    const paths = [new Path2D(), new Path2D()];
    // A message that was not delayed arrives at once; a little slope shows which way it went.
    const slope = Math.min(5, view.width / Math.max(last - first, 1));
    for (let at = first; at < last; at += 1) {
      const from = view.x(messages.start[at]), to = Math.max(view.x(messages.end[at]), from + slope);
      const [top, bottom] = [this.y(messages.from[at]), this.y(messages.to[at])];
      const path = paths[messages.dropped[at]];
      path.moveTo(from, top);
      if (messages.dropped[at]) {
        const [x, y] = [(from + to) / 2, (top + bottom) / 2];
        path.lineTo(x, y);
        path.moveTo(x - 3, y - 3);
        path.lineTo(x + 3, y + 3);
        path.moveTo(x + 3, y - 3);
        path.lineTo(x - 3, y + 3);
      } else {
        path.lineTo(to, bottom);
        path.rect(to - 1, bottom - 1, 2, 2);
      }
    }
    context.lineWidth = 1;
    context.globalAlpha = last - first > 1000 ? 0.5 : 0.85;
    [palette.outcomes[OK], palette.outcomes[LOST]].forEach((colour, dropped) => {
      context.strokeStyle = colour;
      context.stroke(paths[dropped]);
    });
    context.globalAlpha = 1;
  }

  paintCounts(context, { run, view, palette }, first, last) {
    const { messages } = run;
    const ends = run.about.messages.names.length, bins = Math.max(1, Math.round(view.width / 3));
    const counts = new Float64Array(bins * ends), lost = new Uint8Array(bins * ends);
    const scale = bins / view.span;
    let most = 1;
    for (let at = first; at < last; at += 1) {
      const place = Math.min(bins - 1, Math.floor((messages.start[at] - view.from) * scale)) * ends + messages.from[at];
      counts[place] += 1;
      if (messages.dropped[at]) lost[place] = 1;
      if (counts[place] > most) most = counts[place];
    }
    const wide = view.width / bins;
    for (let place = 0; place < counts.length; place += 1) {
      if (counts[place] === 0) continue;
      context.globalAlpha = 0.25 + 0.75 * (Math.log1p(counts[place]) / Math.log1p(most));
      context.fillStyle = palette.outcomes[lost[place] ? LOST : OK];
      context.fillRect(view.left + Math.floor(place / ends) * wide, this.y(place % ends) - 7, wide + 0.3, 14);
    }
    context.globalAlpha = 1;
  }

  at(time, { run, view }) {
    const { messages, about } = run;
    const slack = (view.span / view.width) * 3;
    const first = firstAt(messages.start, time - slack), last = firstAt(messages.start, time + slack);
    if (last - first > 3) return `${grouped(last - first)} messages`;
    const words = [];
    for (let at = first; at < last; at += 1) {
      const late = messages.end[at] - messages.start[at];
      words.push(`${about.messages.names[messages.from[at]]} → ${about.messages.names[messages.to[at]]}, ${grouped(messages.size[at])} bytes${messages.dropped[at] ? ", dropped" : late > 0 ? `, ${duration(late)} late` : ""}`);
    }
    return words.join(" · ");
  }
}
