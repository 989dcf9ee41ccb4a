// Reads the data of a variant, as src/html/run writes it: blocks of base64, each compressed by itself.

const OK = 0, REFUSED = 1, FAIL = 2, INFO = 3;
const CLASS_NAMES = ["ok", "refused", "fail", "info"];
// Rows of clients at most; more share them.
const ROWS = 600;
// Operations that take longer than nearly all others, at most about so many.
const LONG = 2000;
const NONE = 0, INTEGER = 1, TEXT = 2, PAIR = 3, AS_ARGUMENT = 4, LEFT_OUT = 5;

function fromBase64(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  const letters = atob(text);
  const bytes = new Uint8Array(letters.length);
  for (let at = 0; at < letters.length; at += 1) bytes[at] = letters.charCodeAt(at);
  return bytes;
}

async function inflate(text) {
  const packed = new Blob([fromBase64(text)]).stream();
  const plain = packed.pipeThrough(new DecompressionStream("deflate-raw"));
  return new Uint8Array(await new Response(plain).arrayBuffer());
}

// Numbers in groups of seven bits, the lowest first; the sign of signed ones is their lowest bit.
class Numbers {
  constructor(bytes) {
    this.bytes = bytes;
    this.at = 0;
  }

  unsigned() {
    let byte = this.bytes[this.at++];
    let number = byte & 0x7f;
    let unit = 128;
    while (byte > 0x7f) {
      byte = this.bytes[this.at++];
      number += (byte & 0x7f) * unit;
      unit *= 128;
    }
    return number;
  }

  signed() {
    const number = this.unsigned();
    return number % 2 === 0 ? number / 2 : -(number + 1) / 2;
  }

  fill(array) {
    for (let index = 0; index < array.length; index += 1) array[index] = this.unsigned();
    return array;
  }
}

// The first place in ascending numbers that has this one or a greater one.
function firstAt(numbers, number, length = numbers.length) {
  let low = 0, high = length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (numbers[middle] < number) low = middle + 1;
    else high = middle;
  }
  return low;
}

// The operations of a variant in columns, in the order of invocation. Times are microseconds since the run's start.
class Operations {
  constructor(count, columns) {
    const numbers = (name) => new Numbers(columns[name]);
    this.count = count;
    this.lane = numbers("lane").fill(new Uint32Array(count));
    this.key = numbers("key").fill(new Uint32Array(count));
    this.node = numbers("node").fill(new Uint8Array(count));
    this.error = numbers("error").fill(new Uint32Array(count));
    this.readTimes(numbers("index"), numbers("invoked"), numbers("took"), numbers("due"), numbers("what"));
    this.readValues(columns.kinds, numbers("arguments"), numbers("results"), columns.texts);
    this.lost = new Uint8Array(count);
  }

  readTimes(index, invoked, took, due, what) {
    const count = this.count;
    // The number of each operation in the history; not all of a long one are on the page.
    this.index = new Uint32Array(count);
    this.start = new Float64Array(count);
    // Infinity where it never ended.
    this.end = new Float64Array(count);
    this.wait = new Float64Array(count);
    this.f = new Uint8Array(count);
    this.outcome = new Uint8Array(count);
    let number = 0, time = 0;
    for (let at = 0; at < count; at += 1) {
      number += index.unsigned();
      time += invoked.signed();
      this.index[at] = number;
      this.start[at] = time;
      const length = took.unsigned();
      this.end[at] = length === 0 ? Infinity : time + length - 1;
      this.wait[at] = Math.max(due.unsigned() - 1, 0);
      const code = what.unsigned();
      this.f[at] = code >> 2;
      this.outcome[at] = code & 3;
    }
    this.findLong();
  }

  // Sets aside the operations that are open for long, so that those open at a time are found among few.
  findLong() {
    const power = (at) => Math.min(63, Math.ceil(Math.log2(Math.max(this.end[at] - this.start[at], 1))));
    const counts = new Uint32Array(64);
    for (let at = 0; at < this.count; at += 1) counts[power(at)] += 1;
    let above = counts[63], least = 62;
    while (least > 0 && above + counts[least] <= LONG) above += counts[least--];
    this.short = 2 ** least;
    const long = [];
    for (let at = 0; at < this.count; at += 1) if (this.end[at] - this.start[at] > this.short) long.push(at);
    this.long = Uint32Array.from(long);
  }

  // Calls with every operation that is open between two moments, long ones first.
  open(from, to, visit) {
    const { start, end, short } = this;
    for (const at of this.long) if (start[at] <= to && end[at] >= from) visit(at);
    const last = this.firstAt(to);
    for (let at = this.firstAt(from - short); at < last; at += 1) {
      if (end[at] >= from && end[at] - start[at] <= short) visit(at);
    }
  }

  // Gives each operation the row of its client, in the order of the clients' numbers; returns the names of the rows.
  arrange(lanes) {
    const number = (lane) => Number(lanes[lane].split(" ").pop());
    const order = [...lanes.keys()].sort((one, other) => number(one) - number(other));
    const rows = new Uint16Array(lanes.length);
    order.forEach((lane, place) => (rows[lane] = place % ROWS));
    this.row = Uint16Array.from(this.lane, (lane) => rows[lane]);
    return lanes.length > ROWS ? Array(ROWS).fill("") : order.map((lane) => lanes[lane]);
  }

  readValues(kinds, asked, answered, texts) {
    const count = this.count;
    this.kinds = kinds;
    this.texts = texts;
    this.argument = new Float64Array(count);
    this.result = new Float64Array(count);
    this.second = [null, null];
    const seen = new Map();
    let wrote = 0, text = 0;
    const nextText = () => {
      const begin = text;
      text = texts.indexOf(0, text) + 1;
      return begin;
    };
    const pair = (side, at, numbers, key) => {
      this.second[side] ??= new Float64Array(count);
      const from = numbers.signed() + (seen.get(key) ?? 0);
      wrote += numbers.signed();
      seen.set(key, wrote);
      this.second[side][at] = wrote;
      return from;
    };
    for (let at = 0; at < count; at += 1) {
      const key = this.key[at];
      const kind = kinds[at] & 7, other = kinds[at] >> 3;
      if (kind === INTEGER) {
        wrote += asked.signed();
        seen.set(key, wrote);
        this.argument[at] = wrote;
      } else if (kind === PAIR) this.argument[at] = pair(0, at, asked, key);
      else if (kind === TEXT) this.argument[at] = nextText();
      if (other === INTEGER) {
        const value = (seen.get(key) ?? 0) + answered.signed();
        seen.set(key, value);
        this.result[at] = value;
      } else if (other === PAIR) this.result[at] = pair(1, at, answered, key);
      else if (other === TEXT) this.result[at] = nextText();
    }
  }

  text(begin) {
    return new TextDecoder().decode(this.texts.subarray(begin, this.texts.indexOf(0, begin)));
  }

  value(kind, number, side, at) {
    if (kind === INTEGER) return String(number);
    if (kind === PAIR) return `[${number},${this.second[side][at]}]`;
    if (kind === TEXT) return this.text(number);
    if (kind === LEFT_OUT) return "(in operations.csv)";
    return "";
  }

  // What an operation was invoked with; empty if it was nothing.
  argumentText(at) {
    return this.value(this.kinds[at] & 7, this.argument[at], 0, at);
  }

  // What it was answered; empty if it was nothing.
  resultText(at) {
    const kind = this.kinds[at] >> 3;
    return kind === AS_ARGUMENT ? this.argumentText(at) : this.value(kind, this.result[at], 1, at);
  }

  // The first operation invoked at a time or later.
  firstAt(time) {
    return firstAt(this.start, time);
  }

  // The operation of this number in the history, or -1.
  find(index) {
    let low = 0, high = this.count - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      if (this.index[middle] === index) return middle;
      if (this.index[middle] < index) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
  }
}

// The messages between nodes, where frames were captured, by the moment they were sent.
class Messages {
  constructor(count, ends, columns) {
    this.count = count;
    this.start = new Float64Array(count);
    this.end = new Float64Array(count);
    this.from = new Uint8Array(count);
    this.to = new Uint8Array(count);
    this.dropped = new Uint8Array(count);
    this.size = new Numbers(columns.message_size).fill(new Uint32Array(count));
    const at = new Numbers(columns.message_at), link = new Numbers(columns.message_link), fate = new Numbers(columns.message_fate);
    let time = 0;
    for (let index = 0; index < count; index += 1) {
      time += at.signed();
      const both = link.unsigned(), late = fate.unsigned();
      this.start[index] = time;
      this.from[index] = Math.floor(both / ends);
      this.to[index] = both % ends;
      this.dropped[index] = late === 0 ? 1 : 0;
      this.end[index] = time + Math.max(late - 1, 0);
    }
  }
}

// Reads one variant from the text of its element.
async function decode(text) {
  const blocks = JSON.parse(text);
  const names = Object.keys(blocks);
  const plain = await Promise.all(names.map((name) => inflate(blocks[name])));
  const columns = Object.fromEntries(names.map((name, at) => [name, plain[at]]));
  const json = (name) => JSON.parse(new TextDecoder().decode(columns[name]));
  const about = json("about");
  const operations = new Operations(about.shown, columns);
  about.rows = operations.arrange(about.names.lanes);
  for (const index of about.violation?.lost ?? []) {
    const at = operations.find(index);
    if (at >= 0) operations.lost[at] = 1;
  }
  const messages = about.messages ? new Messages(about.messages.shown, about.messages.names.length, columns) : null;
  return { about, operations, messages, lines: json("lines") };
}
