// Finds operations and lines of logs by what a person types.

// A term of a search: any word, or one of these before a colon.
const FIELDS = ["key", "value", "client", "node", "error", "f", "outcome", "log"];

function parseSearch(text) {
  return text.trim().toLowerCase().split(/\s+/).filter(Boolean).map((word) => {
    const colon = word.indexOf(":");
    const field = word.slice(0, colon);
    return colon > 0 && FIELDS.includes(field) ? { field, text: word.slice(colon + 1) } : { field: "", text: word };
  });
}

// For each name whether it has the text, or is it where the field is given.
function named(names, term) {
  return names.map((name) => (term.field ? name.toLowerCase() === term.text || name.toLowerCase().endsWith(` ${term.text}`) : name.toLowerCase().includes(term.text)));
}

// Tells of an operation whether a term fits it.
function matcher(run, term) {
  const { operations, about } = run;
  const names = about.names;
  const tests = [];
  const add = (field, list, column, offset) => {
    if (term.field && term.field !== field) return;
    const fits = named(list, term);
    if (fits.some(Boolean)) tests.push((at) => fits[operations[column][at] - offset] === true);
  };
  add("key", names.keys, "key", 1);
  add("node", names.nodes, "node", 1);
  add("error", names.errors, "error", 1);
  add("f", names.functions, "f", 0);
  add("outcome", CLASS_NAMES, "outcome", 0);
  if (term.field === "client" || /^client/.test(term.text)) add("client", names.lanes, "lane", 0);
  if ("lost".startsWith(term.text) && (term.field === "" || term.field === "outcome")) tests.push((at) => operations.lost[at] === 1);
  if (term.field === "" || term.field === "value") tests.push(valueMatcher(operations, term.text));
  return (at) => tests.some((test) => test(at));
}

// Numbers must be the same; texts must have the text in them.
function valueMatcher(operations, text) {
  const number = Number(text);
  const bytes = new TextEncoder().encode(text);
  const has = (begin) => {
    const { texts } = operations;
    const end = texts.indexOf(0, begin);
    outer: for (let at = begin; at + bytes.length <= end; at += 1) {
      for (let letter = 0; letter < bytes.length; letter += 1) {
        let byte = texts[at + letter];
        if (byte > 64 && byte < 91) byte += 32;
        if (byte !== bytes[letter]) continue outer;
      }
      return true;
    }
    return false;
  };
  const fits = (kind, value, side, at) => {
    if (kind === INTEGER) return value === number && text !== "";
    if (kind === PAIR) return value === number || operations.second[side][at] === number;
    return kind === TEXT && has(value);
  };
  return (at) => fits(operations.kinds[at] & 7, operations.argument[at], 0, at) || fits(operations.kinds[at] >> 3, operations.result[at], 1, at);
}

// What a search found: a mask and a list of operations, and which lines of logs; null for an empty search.
function search(run, text) {
  const terms = parseSearch(text);
  if (terms.length === 0) return null;
  const { operations, lines } = run;
  const words = terms.filter((term) => term.field === "" || term.field === "log");
  const others = terms.filter((term) => term.field !== "log");
  const tests = others.map((term) => matcher(run, term));
  const mask = new Uint8Array(operations.count);
  const list = [];
  for (let at = 0; at < operations.count && tests.length > 0; at += 1) {
    if (!tests.every((test) => test(at))) continue;
    mask[at] = 1;
    list.push(at);
  }
  const logs = [];
  // A line of a log has no key or client of its own, so only terms without a field are looked for in it.
  if (words.length === terms.length) {
    lines.text.forEach((line, at) => {
      const lower = line.toLowerCase();
      if (words.every((word) => lower.includes(word.text))) logs.push(at);
    });
  }
  return { text, terms, mask, list, logs };
}
