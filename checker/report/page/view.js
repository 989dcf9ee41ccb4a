// The part of the run that is shown, and its place on the screen.

const SHORTEST = 20; // microseconds

class View {
  constructor(run, changed) {
    this.changed = changed;
    // A little room on both sides, so that what happens first and last can be seen.
    const margin = Math.max(run.about.end * 0.01, 1000);
    this.least = -margin;
    this.most = run.about.end + margin;
    this.from = this.least;
    this.to = this.most;
    this.left = 0;
    this.width = 1;
    // The time under the cursor; none before anybody pointed anywhere.
    this.cursor = null;
    this.aim = null;
  }

  get span() {
    return this.to - this.from;
  }

  // Where the drawing begins and how wide it is, in CSS pixels.
  place(left, width) {
    this.left = left;
    this.width = Math.max(width, 1);
    this.changed();
  }

  x(time) {
    return this.left + ((time - this.from) / (this.to - this.from)) * this.width;
  }

  time(x) {
    return this.from + ((x - this.left) / this.width) * (this.to - this.from);
  }

  show(from, to) {
    const whole = this.most - this.least;
    const span = Math.min(Math.max(to - from, SHORTEST), whole);
    let begin = (from + to - span) / 2;
    begin = Math.max(this.least, Math.min(begin, this.most - span));
    if (begin === this.from && begin + span === this.to) return;
    this.from = begin;
    this.to = begin + span;
    this.changed();
  }

  // Makes what is shown longer by a factor; the moment at x stays where it is.
  zoom(factor, x = this.left + this.width / 2) {
    const fixed = this.time(x);
    this.show(fixed - (fixed - this.from) * factor, fixed + (this.to - fixed) * factor);
  }

  pan(share) {
    this.show(this.from + this.span * share, this.to + this.span * share);
  }

  // Moves to a part in a few steps, unless somebody asks for less motion.
  glide(from, to) {
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) return this.show(from, to);
    const begin = [this.from, this.to];
    const started = performance.now();
    const aim = (this.aim = {});
    const step = (now) => {
      if (this.aim !== aim) return;
      const part = Math.min((now - started) / 220, 1);
      const eased = 1 - (1 - part) ** 3;
      this.show(begin[0] + (from - begin[0]) * eased, begin[1] + (to - begin[1]) * eased);
      if (part < 1) requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  }

  all() {
    this.glide(this.least, this.most);
  }
}

// Round steps between ticks: 1, 2, 5 times a power of ten.
function roundStep(span, count) {
  const rough = span / Math.max(count, 1);
  const power = 10 ** Math.floor(Math.log10(rough));
  const times = [1, 2, 5, 10].find((factor) => factor * power >= rough);
  return times * power;
}
