// Canvases that fit the screen, and the colours of the page.

class Palette {
  constructor() {
    this.read();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      this.read();
      this.changed?.();
    });
  }

  read() {
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(name).trim();
    for (const name of ["ground", "soft", "line", "text", "grey", "accent"]) this[name] = colour(`--${name}`);
    this.outcomes = ["ok", "refused", "fail", "info", "lost"].map((name) => colour(`--op-${name}`));
    // The same as pixels, and faint for what a search did not find.
    this.pixels = this.outcomes.map((name) => pixelOf(name, 255));
    this.faint = this.outcomes.map((name) => pixelOf(name, 70));
    this.dark = matchMedia("(prefers-color-scheme: dark)").matches;
  }

  // The colour of a fault, as the pictures have it; lighter on a dark ground.
  fault(fault, strength = 1) {
    const [red, green, blue] = this.dark ? fault.colour.map((part) => Math.round(part + (255 - part) * 0.35)) : fault.colour;
    return `rgba(${red},${green},${blue},${strength})`;
  }
}

// A colour such as #3a86c8 as a pixel of an image, on machines that store the lowest byte first, as all do today.
function pixelOf(colour, alpha) {
  const number = parseInt(colour.slice(1), 16);
  const [red, green, blue] = [number >> 16, (number >> 8) & 255, number & 255];
  return ((alpha << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}

// Many bars in rows of equal height. Writing pixels takes a fixed time for each frame, where drawing ten thousand
// rectangles takes as long as there are rectangles.
class Bars {
  constructor() {
    this.canvas = document.createElement("canvas");
    this.context = this.canvas.getContext("2d");
  }

  // Begins anew with so many lanes and pixels.
  reset(lanes, width, height) {
    if (this.canvas.width !== width || this.canvas.height !== height || !this.image) {
      this.canvas.width = width;
      this.canvas.height = height;
      this.image = this.context.createImageData(width, height);
      this.all = new Uint32Array(this.image.data.buffer);
    }
    this.width = width;
    if (!this.lines || this.lines.length !== lanes * width) this.lines = new Uint32Array(lanes * width);
    this.lines.fill(0);
  }

  mark(lane, from, to, pixel) {
    const begin = Math.max(0, Math.floor(from));
    const end = Math.min(this.width, Math.max(begin + 1, Math.floor(to)));
    if (end > begin) this.lines.fill(pixel, lane * this.width + begin, lane * this.width + end);
  }

  // Draws the lanes into another canvas, each from a y on and so high, all in pixels.
  draw(context, left, ratio, lanes) {
    this.all.fill(0);
    lanes.forEach(([top, high], lane) => {
      const line = this.lines.subarray(lane * this.width, (lane + 1) * this.width);
      for (let y = Math.round(top); y < Math.round(top + high); y += 1) this.all.set(line, y * this.width);
    });
    this.context.putImageData(this.image, 0, 0);
    context.drawImage(this.canvas, left, 0, this.width / ratio, this.canvas.height / ratio);
  }
}

const FONT = "system-ui,-apple-system,'Segoe UI',sans-serif";

// One row of the timeline: a heading that folds it, what holds at the cursor, and a drawing.
class Row {
  constructor(key, title, help) {
    this.key = key;
    this.folded = false;
    this.visible = true;
    this.canvas = element("canvas", { role: "img", "aria-label": help });
    this.body = element("div", { class: "row-body", id: `row-${key}` }, this.canvas);
    this.readout = element("span", { class: "readout" });
    this.button = element(
      "button",
      { type: "button", class: "fold", "aria-expanded": "true", "aria-controls": `row-${key}` },
      title,
    );
    this.root = element("div", { class: "row", "data-row": key }, element("div", { class: "row-head" }, this.button, this.readout), this.body);
  }

  fold(folded) {
    this.folded = folded;
    this.body.hidden = folded;
    this.button.setAttribute("aria-expanded", String(!folded));
  }

  height() {
    return 80;
  }

  // Makes the canvas as large as its place; what draws on it counts in CSS pixels.
  draw(timeline) {
    if (this.folded || !this.visible) return;
    const { view, palette } = timeline;
    const width = timeline.stageWidth, height = this.height(timeline);
    const ratio = Math.min(window.devicePixelRatio || 1, 2);
    const canvas = this.canvas;
    const [wide, high] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (canvas.width !== wide || canvas.height !== high) {
      canvas.width = wide;
      canvas.height = high;
      canvas.style.height = `${height}px`;
    }
    const context = (this.context ??= canvas.getContext("2d"));
    this.ratio = ratio;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    context.font = `12px ${FONT}`;
    context.textBaseline = "middle";
    this.paint(context, timeline, view, palette, height);
  }

  paint() {}

  // What holds at a moment, in a few words.
  at() {
    return "";
  }

  // What is under a point of the drawing; nothing where there is nothing to tell.
  hit() {
    return null;
  }
}

// The times of faults behind a drawing.
function shadeFaults(context, { run, view, palette }, height) {
  for (const fault of run.about.faults) {
    if (fault.start === null) continue;
    const from = Math.max(view.x(fault.start), view.left);
    const to = Math.min(view.x(fault.end ?? run.about.end), view.left + view.width);
    if (to < from) continue;
    context.fillStyle = palette.fault(fault, 0.1);
    context.fillRect(from, 0, Math.max(to - from, 1), height);
  }
}

// A text that ends before a limit.
function fitText(context, text, room) {
  if (room < 12) return "";
  if (context.measureText(text).width <= room) return text;
  let letters = Math.floor(room / 6.2);
  while (letters > 0) {
    const cut = shortened(text, letters);
    if (context.measureText(cut).width <= room) return cut;
    letters -= 1;
  }
  return "";
}

// A name in the margin on the left.
function marginName(context, { view, palette }, text, y, colour = palette.grey) {
  context.fillStyle = colour;
  context.textAlign = "right";
  context.fillText(fitText(context, text, view.left - 10), view.left - 8, y);
  context.textAlign = "left";
}

function clipToPlot(context, view, height) {
  context.beginPath();
  context.rect(view.left, 0, view.width, height);
  context.clip();
}
