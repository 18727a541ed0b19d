/* What is drawn: images of digits, charts, and planes with axes and handles that can be dragged. */

import { HALF_MASS } from "./gaussian.js";
import { clamp } from "./numbers.js";
import { SIDE } from "./drawing.js";
import { color, inNextFrame, whenRedrawn } from "./page.js";

const FONT = 'system-ui, "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif';
/** For a canvas on which thousands of small pictures are laid: far faster where there is no graphics card. */
export const IN_MEMORY = { willReadFrequently: true };
export const TEXT = 15; // pixels, of what is written into a chart

/** A colour's red, green and blue, 0 to 255. */
export function channels(name) {
  return [1, 3, 5].map((start) => Number.parseInt(color(name).slice(start, start + 2), 16));
}

/** Shows images [784] side by side in rows of so many: ink on paper, which `full` stands for. */
export function showImages(canvas, images, columns = images.length, full = 1) {
  const rows = Math.ceil(images.length / columns);
  const [width, height] = [columns * SIDE, rows * SIDE];
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d");
  const [paper, ink] = [channels("paper"), channels("ink")];
  const picture = context.createImageData(width, height);
  images.forEach((image, n) => {
    const start = Math.floor(n / columns) * SIDE * width + (n % columns) * SIDE;
    for (let i = 0; i < image.length; i++) {
      const place = 4 * (start + Math.floor(i / SIDE) * width + (i % SIDE));
      for (let k = 0; k < 3; k++) picture.data[place + k] = paper[k] + (image[i] / full) * (ink[k] - paper[k]);
      picture.data[place + 3] = 255;
    }
  });
  context.putImageData(picture, 0, 0);
}

/** A canvas as sharp as the screen, painted anew when its size, the theme or the language change. */
export class Chart {
  /** paint(context, width, height) draws in CSS pixels. */
  constructor(canvas, paint) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d", IN_MEMORY);
    this.paint = () => this.repaint(paint);
    this.measure();
    new ResizeObserver(() => {
      this.measure();
      this.paint(); // at once, as a canvas of a new size is empty
    }).observe(canvas);
    whenRedrawn(() => this.request());
  }

  measure() {
    this.scale = window.devicePixelRatio || 1;
    [this.width, this.height] = [this.canvas.clientWidth, this.canvas.clientHeight];
    this.canvas.width = Math.round(this.width * this.scale);
    this.canvas.height = Math.round(this.height * this.scale);
  }

  request() {
    inNextFrame(this.paint);
  }

  repaint(paint) {
    if (this.width === 0) return;
    this.context.setTransform(this.scale, 0, 0, this.scale, 0, 0);
    this.context.clearRect(0, 0, this.width, this.height);
    paint(this.context, this.width, this.height);
  }
}

export function write(context, text, x, y, { size = TEXT, align = "left", fill = "ink", bold = false } = {}) {
  context.font = `${bold ? "600 " : ""}${size}px ${FONT}`;
  Object.assign(context, { textAlign: align, textBaseline: "middle", fillStyle: color(fill) });
  context.fillText(text, x, y);
}

/** Text with a halo, to stand out from what it lies on. */
export function label(context, text, x, y, options = {}) {
  const { size = TEXT, align = "center", bold = true } = options;
  context.font = `${bold ? "600 " : ""}${size}px ${FONT}`;
  Object.assign(context, { textAlign: align, textBaseline: "middle", strokeStyle: color("paper"), lineJoin: "round" });
  context.lineWidth = size / 3;
  context.strokeText(text, x, y);
  write(context, text, x, y, { size, align, bold, ...options });
}

/** Fills a rectangle with a colour, and stripes across it: what the colour-blind can tell from a plain one. */
export function fillStriped(context, x, y, width, height, name) {
  context.save();
  context.beginPath();
  context.rect(x, y, width, height);
  context.clip();
  context.fillStyle = color(name);
  context.fillRect(x, y, width, height);
  Object.assign(context, { strokeStyle: color("paper"), lineWidth: 2 });
  for (let start = x - height; start < x + width; start += 9) {
    context.beginPath();
    context.moveTo(start, y + height);
    context.lineTo(start + height, y);
    context.stroke();
  }
  context.restore();
}

/** The regions of a plane where a height, ln P(x,z) of a code, is above levels, the lowest first: a canvas. */
export function shade(plane, levels, height) {
  const side = Math.round(plane.size);
  const canvas = Object.assign(document.createElement("canvas"), { width: side, height: side });
  const context = canvas.getContext("2d");
  const picture = context.createImageData(side, side);
  const shades = ["posterior-99", "posterior-90", "posterior-50"].map((name) => [...channels(name), 255]);
  for (let n = 0; n < side * side; n++) {
    const here = height(plane.fromPixels([(n % side) + 0.5, Math.floor(n / side) + 0.5]));
    const region = levels.findLastIndex((level) => here >= level);
    if (region >= 0) picture.data.set(shades[region], 4 * n);
  }
  context.putImageData(picture, 0, 0);
  return canvas;
}

/** Steps of 1, 2 or 5 that make some ticks in a span. */
export function niceStep(span, ticks) {
  const rough = span / ticks;
  const power = 10 ** Math.floor(Math.log10(rough));
  return power * [1, 2, 5, 10].find((factor) => factor * power >= rough);
}

/** The multiples of a step within [lowest, highest]. */
export function multiples(lowest, highest, step) {
  const first = Math.ceil(lowest / step - 1e-9);
  const count = Math.floor(highest / step + 1e-9) - first + 1;
  return Array.from({ length: Math.max(0, count) }, (_, i) => (first + i) * step);
}

/** A square of the plane of codes, with axes, and with handles that mouse, finger or arrow keys move. */
export class Plane {
  /** paint(context, plane) draws over the axes' lines. view: {centre: [2], half, names of the axes}. */
  constructor(box, view, paint) {
    this.box = box;
    this.view = view;
    this.handles = [];
    this.chart = new Chart(box.querySelector("canvas"), (context) => {
      this.drawGrid(context);
      paint(context, this);
      this.drawTicks(context);
      this.handles.forEach((handle) => handle.put());
    });
  }

  get size() {
    return this.chart.width;
  }

  /** Pixels per unit. */
  get unit() {
    return this.size / (2 * this.view.half);
  }

  toPixels([first, second]) {
    const { centre, half } = this.view;
    return [(first - centre[0] + half) * this.unit, (centre[1] + half - second) * this.unit];
  }

  fromPixels([x, y]) {
    const { centre, half } = this.view;
    return [centre[0] - half + x / this.unit, centre[1] + half - y / this.unit];
  }

  /** The code under the pointer, at most on the rim. */
  toCode(event) {
    const { left, top, width } = this.box.getBoundingClientRect();
    const { centre, half } = this.view;
    const units = (2 * half) / width;
    const code = [centre[0] - half + (event.clientX - left) * units, centre[1] + half - (event.clientY - top) * units];
    return this.hold(code);
  }

  hold(code) {
    const { centre, half } = this.view;
    return code.map((value, i) => clamp(value, centre[i] - half, centre[i] + half));
  }

  request() {
    this.chart.request();
  }

  ticks(axis) {
    const { centre, half } = this.view;
    const step = niceStep(2 * half, 6);
    return { step, places: multiples(centre[axis] - half, centre[axis] + half, step) };
  }

  drawGrid(context) {
    Object.assign(context, { strokeStyle: color("grid"), lineWidth: 1 });
    context.beginPath();
    for (const place of this.ticks(0).places) this.trace(context, [place, -1e3], [place, 1e3]);
    for (const place of this.ticks(1).places) this.trace(context, [-1e3, place], [1e3, place]);
    context.stroke();
  }

  trace(context, from, to) {
    context.moveTo(...this.toPixels(from));
    context.lineTo(...this.toPixels(to));
  }

  drawTicks(context) {
    if (this.size < 200) return; // there is no room
    const digits = Math.max(0, -Math.floor(Math.log10(this.ticks(0).step) + 1e-9));
    const text = (value) =>
      value
        .toFixed(digits)
        .replace("-", "−")
        .replace(/^−(0(\.0+)?)$/, "$1");
    const away = 30;
    for (const place of this.ticks(0).places) {
      const [x] = this.toPixels([place, 0]);
      if (x > away && x < this.size - away)
        label(context, text(place), x, this.size - 11, { size: 13, fill: "soft", bold: false });
    }
    for (const place of this.ticks(1).places) {
      const [, y] = this.toPixels([0, place]);
      if (y > away && y < this.size - away)
        label(context, text(place), 6, y, { size: 13, align: "left", fill: "soft", bold: false });
    }
    const [first, second] = this.view.names ?? ["z₁", "z₂"];
    label(context, first, this.size - 12, this.size - 11, { size: 14, fill: "soft" });
    label(context, second, 14, 12, { size: 14, fill: "soft" });
  }

  /** The line that holds half of a Gaussian's mass. */
  ellipse(context, { mean, stddev }, { stroke, width = 2.5, dash = [] }) {
    const [x, y] = this.toPixels(mean);
    const [horizontal, vertical] = stddev.map((value) => HALF_MASS * value * this.unit);
    Object.assign(context, { strokeStyle: color(stroke), lineWidth: width });
    context.setLineDash(dash);
    context.beginPath();
    context.ellipse(x, y, horizontal, vertical, 0, 0, 2 * Math.PI);
    context.stroke();
    context.setLineDash([]);
  }

  dot(context, code, radius, fill) {
    context.fillStyle = color(fill);
    context.beginPath();
    context.arc(...this.toPixels(code), radius, 0, 2 * Math.PI);
    context.fill();
  }

  /** A handle on the plane. get() is where it lies, set(code) moves it there, describe() says where for a reader. */
  addHandle(element, { get, set, describe }) {
    const handle = new Handle(this, element, get, set, describe);
    this.handles.push(handle);
    return handle;
  }
}

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

class Handle {
  constructor(plane, element, get, set, describe) {
    Object.assign(this, { plane, element, get, set, describe });
    element.addEventListener("pointerdown", (event) => this.take(event));
    element.addEventListener("pointermove", (event) => this.dragged && this.move(event));
    for (const end of ["pointerup", "pointercancel"]) element.addEventListener(end, () => (this.dragged = false));
    element.addEventListener("keydown", (event) => this.press(event));
  }

  take(event) {
    event.preventDefault();
    event.stopPropagation();
    this.element.focus({ preventScroll: true });
    this.element.setPointerCapture(event.pointerId);
    const [code, finger] = [this.get(), this.plane.toCode(event)];
    this.offset = [code[0] - finger[0], code[1] - finger[1]]; // it keeps its place under the finger
    this.dragged = true;
  }

  move(event) {
    const finger = this.plane.toCode(event);
    this.set(this.plane.hold([finger[0] + this.offset[0], finger[1] + this.offset[1]]));
  }

  /** Arrow keys move by a hundredth of the plane, by a twentieth with shift. */
  press(event) {
    const arrow = ARROWS[event.key];
    if (!arrow) return;
    event.preventDefault();
    const step = (2 * this.plane.view.half) / (event.shiftKey ? 20 : 100);
    const code = this.get();
    this.set(this.plane.hold([code[0] + step * arrow[0], code[1] + step * arrow[1]]));
  }

  put() {
    const [x, y] = this.plane.toPixels(this.get());
    this.element.style.transform = `translate(${x}px, ${y}px)`;
    this.element.setAttribute("aria-valuenow", this.get()[0].toFixed(2));
    this.element.setAttribute("aria-valuetext", this.describe());
  }
}
