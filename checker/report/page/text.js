// Operations, times and numbers in words.

const grouped = (number) => Math.round(number).toLocaleString("en-US");

// A length of time in microseconds: 850 µs, 4.2 ms, 1.35 s.
function duration(micros) {
  if (micros < 1000) return `${Math.round(micros)} µs`;
  if (micros < 999500) return `${(micros / 1000).toFixed(micros < 9950 ? 1 : 0)} ms`;
  if (micros < 99.95e6) return `${(micros / 1e6).toFixed(micros < 9.995e6 ? 2 : 1)} s`;
  return `${Math.round(micros / 1e6)} s`;
}

// A moment of the run, in seconds since the load began, with as many digits as the step between moments needs.
function moment(run, micros, step = 1000) {
  const digits = Math.max(0, Math.min(6, Math.ceil(6 - Math.log10(Math.max(step, 1)))));
  const seconds = (micros - run.about.load) / 1e6;
  return `${seconds < 0 ? "−" : ""}${Math.abs(seconds).toFixed(digits)} s`;
}

// What each outcome means, for those who see the words for the first time.
const MEANINGS = { ok: "it took effect", refused: "found another value", fail: "it did not happen", info: "outcome unknown", lost: "acknowledged, and gone later" };

const PHASES = { warmup: "warm-up", final: "final reads" };
const phaseName = (name) => PHASES[name] ?? name;

const clientName = (run, at) => run.about.names.lanes[run.operations.lane[at]];
const keyName = (run, at) => run.about.names.keys[run.operations.key[at] - 1] ?? "";
const nodeName = (run, at) => run.about.names.nodes[run.operations.node[at] - 1] ?? "";
const errorName = (run, at) => run.about.names.errors[run.operations.error[at] - 1] ?? "";
const functionName = (run, at) => run.about.names.functions[run.operations.f[at]];

// The steps of a transaction: append x 1, r y → [2].
function steps(text) {
  try {
    return JSON.parse(text).map(([kind, key, value]) => {
      const shown = value === null ? "" : `${kind === "r" ? " →" : ""} ${JSON.stringify(value)}`;
      return `${kind} ${key}${shown}`;
    }).join(", ");
  } catch {
    // It was cut off, or has another form.
    return text;
  }
}

// What a compare-and-set asked for: from nothing to 42.
function change(text) {
  try {
    const [from, to] = JSON.parse(text).map((value) => (value === null ? "nothing" : JSON.stringify(value)));
    return to === undefined ? text : `from ${from} to ${to}`;
  } catch {
    return text;
  }
}

// What an operation asked: write k7 42.
function request(run, at) {
  if (functionName(run, at) === "txn") return steps(run.operations.argumentText(at));
  const argument = run.operations.argumentText(at);
  const parts = [functionName(run, at), keyName(run, at), functionName(run, at) === "cas" ? change(argument) : argument];
  return parts.filter((part) => part !== "").join(" ");
}

// What came of it: → 42.
function answer(run, at) {
  const operations = run.operations;
  const outcome = operations.outcome[at];
  const value = operations.resultText(at);
  if (outcome === OK) {
    const same = value === "" || (operations.kinds[at] >> 3) === AS_ARGUMENT;
    const asksForValue = (operations.kinds[at] & 7) === NONE && functionName(run, at) !== "delete";
    if (value === "" && asksForValue) return "nothing";
    if (!same && functionName(run, at) === "txn") return steps(value);
    return same ? "ok" : value;
  }
  if (outcome === REFUSED) return `refused, found ${value === "" ? "nothing" : value}`;
  const error = errorName(run, at);
  const why = error === "" ? "" : ` (${error})`;
  return outcome === FAIL ? `fail${why}` : `info${why}`;
}

const inShort = (run, at) => `${request(run, at)} → ${answer(run, at)}`;

const shortened = (text, letters) => (text.length > letters ? `${text.slice(0, letters - 1)}…` : text);

// An element with attributes, listeners (on…) and children.
function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value === true) made.setAttribute(key, "");
    else if (value !== false && value !== undefined) made.setAttribute(key, value);
  }
  made.append(...children.flat(Infinity).filter((child) => child !== undefined && child !== null && child !== false));
  return made;
}
