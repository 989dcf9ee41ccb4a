// Mouse, touch and keyboard on the timeline.

class Input {
  constructor(timeline, stage) {
    this.timeline = timeline;
    this.stage = stage;
    this.pointers = new Map();
    this.moved = 0;
    stage.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    stage.addEventListener("pointerdown", (event) => this.down(event));
    stage.addEventListener("pointermove", (event) => this.move(event));
    for (const name of ["pointerup", "pointercancel"]) stage.addEventListener(name, (event) => this.up(event));
    stage.addEventListener("pointerleave", () => this.timeline.leave());
    stage.addEventListener("dblclick", (event) => {
      if (this.begun) this.timeline.view.zoom(event.shiftKey ? 2 : 0.4, this.x(event));
    });
    stage.addEventListener("keydown", (event) => this.key(event));
  }

  x(event) {
    return event.clientX - this.stage.getBoundingClientRect().left;
  }

  // The wheel alone scrolls the page; with Ctrl, as a pinch on a touchpad comes, it zooms.
  wheel(event) {
    const { view } = this.timeline;
    if (event.ctrlKey || event.metaKey) {
      event.preventDefault();
      view.zoom(Math.exp(Math.max(-60, Math.min(60, event.deltaY)) * 0.006), this.x(event));
    } else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      event.preventDefault();
      view.pan((event.deltaX || event.deltaY) / view.width);
    }
  }

  down(event) {
    if (event.target.tagName !== "CANVAS" || event.button > 0) {
      this.begun = null;
      return;
    }
    this.pointers.set(event.pointerId, event);
    this.moved = 0;
    // While a pointer is captured its events are the stage's, so what it was put down on is kept.
    this.begun = { x: this.x(event), target: event.target, overview: event.target === this.timeline.overview.canvas, shift: event.shiftKey };
    this.stage.setPointerCapture(event.pointerId);
  }

  move(event) {
    const { timeline } = this;
    const before = this.pointers.get(event.pointerId);
    if (!before) {
      if (event.target.tagName === "CANVAS" && event.target !== timeline.overview.canvas) timeline.hover(this.x(event));
      return;
    }
    const { view } = timeline;
    const others = [...this.pointers.values()].filter((other) => other.pointerId !== event.pointerId);
    if (others.length > 0) {
      const fixed = others[0].clientX;
      const [was, is] = [Math.abs(before.clientX - fixed), Math.abs(event.clientX - fixed)];
      const middle = (event.clientX + fixed) / 2 - this.stage.getBoundingClientRect().left;
      if (is > 8) view.zoom(was / is, middle);
      this.moved += 9;
    } else {
      this.moved += Math.abs(event.clientX - before.clientX);
      if (this.begun.overview) timeline.selectRange(this.begun.x, this.x(event), this.moved);
      else if (this.begun.shift) timeline.markRange(this.begun.x, this.x(event));
      else if (this.moved > 3) view.pan(-(event.clientX - before.clientX) / view.width);
    }
    this.pointers.set(event.pointerId, event);
  }

  up(event) {
    if (!this.pointers.delete(event.pointerId) || event.type === "pointercancel") return;
    const { timeline } = this;
    if (this.begun.overview) {
      if (this.moved < 4) timeline.centre(this.x(event));
    } else if (this.begun.shift && this.moved > 6) timeline.zoomToRange(this.begun.x, this.x(event));
    else if (this.moved <= 4) timeline.pick(event, this.begun.target);
    timeline.markRange(0, 0);
  }

  key(event) {
    if (event.target !== this.stage || event.ctrlKey || event.metaKey || event.altKey) return;
    const { timeline } = this;
    const { view } = timeline;
    const actions = {
      ArrowLeft: () => view.pan(-0.15), ArrowRight: () => view.pan(0.15),
      a: () => view.pan(-0.15), d: () => view.pan(0.15),
      "+": () => view.zoom(0.6, timeline.middle()), "=": () => view.zoom(0.6, timeline.middle()),
      w: () => view.zoom(0.6, timeline.middle()), s: () => view.zoom(1.6, timeline.middle()),
      "-": () => view.zoom(1.6, timeline.middle()), 0: () => view.all(),
      Home: () => view.show(view.least, view.least + view.span), End: () => view.show(view.most - view.span, view.most),
      ",": () => timeline.moveCursor(-0.01), ".": () => timeline.moveCursor(0.01),
      ArrowUp: () => timeline.changeLane(-1), ArrowDown: () => timeline.changeLane(1),
      n: () => timeline.step(1), p: () => timeline.step(-1),
      Enter: () => timeline.pickAtCursor(), v: () => timeline.showViolation(),
      Escape: () => timeline.select(null), "/": () => timeline.box.focus(),
    };
    const action = actions[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  }
}
