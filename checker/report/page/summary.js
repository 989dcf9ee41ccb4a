// Operations added up over time, so that a long run can be drawn without looking at each of them.

const BINS = 16384;
const LATENCIES = 40;
const COUNTED = 5; // ok, refused, fail, unknown, lost
const LOST = 4;

// The row of a latency in microseconds: six rows for each factor of ten, from 10 µs on.
function latencyRow(micros) {
  const row = Math.floor((Math.log10(Math.max(micros, 10)) - 1) * 6);
  return Math.min(row, LATENCIES - 1);
}

const latencyOf = (row) => 10 ** (row / 6 + 1);

// Grave outcomes hide mild ones where there is room for one colour only.
const GRAVITY = [1, 2, 4, 5];
const OUTCOME_OF = [OK, OK, REFUSED, OK, FAIL, INFO, LOST];

function gravity(operations, at) {
  return operations.lost[at] ? 6 : GRAVITY[operations.outcome[at]];
}

class Summary {
  constructor(operations, rows, from, to) {
    this.from = from;
    this.step = (to - from) / BINS;
    this.counts = new Uint32Array(BINS * COUNTED);
    this.latencies = new Uint32Array(BINS * LATENCIES);
    this.worst = new Uint8Array(BINS * Math.max(rows, 1));
    for (let at = 0; at < operations.count; at += 1) {
      const start = operations.start[at];
      const bin = this.bin(start);
      const outcome = operations.lost[at] ? LOST : operations.outcome[at];
      this.counts[bin * COUNTED + outcome] += 1;
      const end = Math.min(operations.end[at], to);
      if (outcome <= REFUSED || outcome === LOST) {
        this.latencies[bin * LATENCIES + latencyRow(end - start + operations.wait[at])] += 1;
      }
      const grave = gravity(operations, at);
      const lane = operations.row[at] * BINS;
      const last = this.bin(end);
      for (let part = bin; part <= last; part += 1) {
        if (this.worst[lane + part] < grave) this.worst[lane + part] = grave;
      }
    }
  }

  bin(time) {
    const bin = Math.floor((time - this.from) / this.step);
    return bin < 0 ? 0 : bin >= BINS ? BINS - 1 : bin;
  }
}

// Operations of a part of the run in bins of equal length, by the moment they were sent.
function countsOf(run, from, to, bins) {
  const { operations, summary } = run;
  const counts = new Float64Array(bins * COUNTED);
  const latencies = new Float64Array(bins * LATENCIES);
  const first = operations.firstAt(from), last = operations.firstAt(to);
  const scale = bins / (to - from);
  if (last - first <= MANY) {
    for (let at = first; at < last; at += 1) {
      const bin = Math.min(bins - 1, Math.floor((operations.start[at] - from) * scale));
      const outcome = operations.lost[at] ? LOST : operations.outcome[at];
      counts[bin * COUNTED + outcome] += 1;
      if (outcome <= REFUSED || outcome === LOST) {
        const took = operations.end[at] - operations.start[at] + operations.wait[at];
        latencies[bin * LATENCIES + latencyRow(took)] += 1;
      }
    }
    return { counts, latencies, first, last };
  }
  const begin = Math.max(0, summary.bin(from)), end = summary.bin(to);
  for (let part = begin; part <= end; part += 1) {
    const bin = Math.floor((summary.from + (part + 0.5) * summary.step - from) * scale);
    if (bin < 0 || bin >= bins) continue;
    for (let outcome = 0; outcome < COUNTED; outcome += 1) {
      counts[bin * COUNTED + outcome] += summary.counts[part * COUNTED + outcome];
    }
    for (let row = 0; row < LATENCIES; row += 1) {
      latencies[bin * LATENCIES + row] += summary.latencies[part * LATENCIES + row];
    }
  }
  return { counts, latencies, first, last };
}

// Operations above which the sums are drawn.
const MANY = 60000;
