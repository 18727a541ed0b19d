/* The digit that parts 2 and 4 look at, and the pads on which it is drawn. */

import { inPlace, inkLine, inkOf, PAD, SIDE, toMnist } from "./drawing.js";
import { Random, clamp } from "./numbers.js";
import { announce, color, whenRedrawn, word } from "./page.js";
import { Chart, channels, showImages } from "./canvas.js";

let testImages = []; // to pick from: {image: [784] in [0, 1] as float32 has them, label}

/** Takes test images to pick from: their pixels, a byte each, and their labels. */
export function offerImages(pixels, labels) {
  testImages = labels.map((label, n) => {
    const own = pixels.subarray(n * SIDE * SIDE, (n + 1) * SIDE * SIDE);
    return { image: Float64Array.from(own, (byte) => Math.fround(byte / 255)), label };
  });
}

/** What is drawn: strokes, over an image or over nothing. */
class Digit {
  constructor() {
    this.watchers = [];
    this.penDown = false;
    this.clear();
  }

  clear() {
    this.show(null, { key: "digit.drawn" });
  }

  /** Shows an image [784], or none; what names it to a reader. */
  show(base, named) {
    Object.assign(this, { base, named, strokes: [], ink: new Float64Array(PAD * PAD) });
    this.changed();
  }

  /** Begins a stroke at a point in [0, 1]^2, goes on with it through others, or ends it. */
  begin(start) {
    this.penDown = true;
    this.strokes.push([start]);
    inkLine(this.ink, start, start);
    this.changed();
  }

  extend(points) {
    const stroke = this.strokes.at(-1);
    for (const point of points) {
      inkLine(this.ink, stroke.at(-1), point);
      stroke.push(point);
    }
    this.changed();
  }

  end() {
    if (!this.penDown) return;
    this.penDown = false;
    this.changed();
  }

  undo() {
    if (this.strokes.length === 0) return this.clear();
    this.strokes.pop();
    this.ink = inkOf(this.strokes);
    return this.changed();
  }

  changed() {
    const own = this.base ? inPlace(this.ink) : toMnist(this.ink);
    this.image = this.base ? this.base.map((pixel, i) => Math.max(pixel, own[i])) : own;
    this.watchers.forEach((watch) => watch());
  }

  get empty() {
    return !this.base && this.strokes.length === 0;
  }

  watch(watcher) {
    this.watchers.push(watcher);
    watcher();
  }
}

export const digit = new Digit();

const next = Array(10).fill(0); // which test image of each digit comes next

/** Shows a test image of a class: the next one, or the one that is asked for. */
export function pick(label, turn = next[label]) {
  const some = testImages.filter((one) => one.label === label);
  next[label] = (turn + 1) % some.length;
  digit.show(some[turn].image, { key: "digit.test", values: { label, turn: turn + 1, count: some.length } });
}

/** The image turned by 90 degrees anticlockwise. */
function turned(image) {
  return image.map((_, place) => image[(place % SIDE) * SIDE + SIDE - 1 - Math.floor(place / SIDE)]);
}

/** The pixels in an order drawn by lot (Fisher and Yates). */
function shuffled(image, random) {
  const mixed = image.slice();
  for (let last = mixed.length - 1; last > 0; last--) {
    const other = Math.floor(random.uniform() * (last + 1));
    [mixed[last], mixed[other]] = [mixed[other], mixed[last]];
  }
  return mixed;
}

const random = new Random(7);

export const CHANGES = {
  turn: () => digit.show(turned(digit.image), { key: "digit.turned" }),
  shuffle: () => digit.show(shuffled(digit.image, random), { key: "digit.shuffled" }),
  noise: () =>
    digit.show(
      digit.image.map(() => random.uniform()),
      { key: "digit.noise" },
    ),
};

const PEN_KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** A square to draw on with mouse, finger or keys (arrows move the pen, space lets it down). */
export class Pad {
  constructor(box) {
    this.canvas = box.querySelector("canvas");
    this.pen = { place: [0.5, 0.25], down: false, shown: false };
    this.sheet = document.createElement("canvas");
    this.chart = new Chart(this.canvas, (context, width) => this.paint(context, width));
    this.canvas.addEventListener("pointerdown", (event) => this.take(event));
    this.canvas.addEventListener("pointermove", (event) => this.drawn && this.follow(event));
    for (const end of ["pointerup", "pointercancel"]) this.canvas.addEventListener(end, () => this.lift());
    this.canvas.addEventListener("keydown", (event) => this.press(event));
    this.canvas.addEventListener("blur", () => this.lift());
    box.querySelector(".clear").addEventListener("click", () => digit.clear());
    box.querySelector(".undo").addEventListener("click", () => digit.undo());
    this.makeChoices(box.querySelector(".choices"));
    digit.watch(() => this.chart.request());
  }

  makeChoices(list) {
    for (let label = 0; label < 10; label++) {
      const button = document.createElement("button");
      button.textContent = label;
      whenRedrawn(() => button.setAttribute("aria-label", word("pad.pick", { label })));
      button.addEventListener("click", () => pick(label));
      list.append(button);
    }
  }

  toPoint(event) {
    const { left, top, width } = this.canvas.getBoundingClientRect();
    return [event.clientX - left, event.clientY - top].map((value) => clamp(value / width, 0, 1));
  }

  take(event) {
    event.preventDefault();
    this.canvas.focus({ preventScroll: true });
    this.canvas.setPointerCapture(event.pointerId);
    Object.assign(this, { drawn: true, pen: { ...this.pen, down: false, shown: false } });
    digit.begin(this.toPoint(event));
  }

  /** All places that the pen went through, of which the browser tells once a frame. */
  follow(event) {
    const events = event.getCoalescedEvents?.() ?? [];
    digit.extend((events.length ? events : [event]).map((one) => this.toPoint(one)));
  }

  lift() {
    this.drawn = false;
    Object.assign(this.pen, { down: false, shown: false });
    digit.end();
    this.chart.request();
  }

  press(event) {
    const arrow = PEN_KEYS[event.key];
    if (!arrow && event.key !== " " && event.key !== "Delete") return;
    event.preventDefault();
    if (event.key === "Delete") digit.clear();
    if (event.key === " ") this.pen.down = !this.pen.down;
    if (event.key === " ") this.pen.down ? digit.begin(this.pen.place) : digit.end();
    if (arrow) this.movePen(arrow);
    this.pen.shown = true;
    this.chart.request();
  }

  movePen(arrow) {
    this.pen.place = this.pen.place.map((value, i) => clamp(value + 0.04 * arrow[i], 0, 1));
    if (this.pen.down) digit.extend([this.pen.place]);
  }

  paint(context, size) {
    if (digit.base) {
      showImages(this.sheet, [digit.image]);
    } else {
      showInk(this.sheet, digit.ink);
    }
    context.imageSmoothingEnabled = !digit.base;
    context.drawImage(this.sheet, 0, 0, size, size);
    if (this.pen.shown) this.paintPen(context, size);
  }

  paintPen(context, size) {
    const [x, y] = this.pen.place.map((value) => value * size);
    Object.assign(context, { strokeStyle: color("blue"), fillStyle: color("blue"), lineWidth: 3 });
    context.beginPath();
    context.arc(x, y, 9, 0, 2 * Math.PI);
    if (this.pen.down) context.fill();
    context.stroke();
  }
}

/** Ink as fine as it was drawn. */
function showInk(canvas, ink) {
  if (canvas.width !== PAD || canvas.height !== PAD) Object.assign(canvas, { width: PAD, height: PAD });
  const context = canvas.getContext("2d");
  const picture = context.createImageData(PAD, PAD);
  const [red, green, blue] = channels("ink");
  for (let place = 0; place < ink.length; place++) {
    if (ink[place] > 0) {
      picture.data[4 * place] = red;
      picture.data[4 * place + 1] = green;
      picture.data[4 * place + 2] = blue;
      picture.data[4 * place + 3] = 255 * ink[place];
    }
  }
  context.putImageData(picture, 0, 0);
}

/** Says under the pads what they show. */
export function describeDigit() {
  for (const element of document.querySelectorAll("[data-digit]")) {
    element.textContent = digit.empty ? word("digit.none") : word(digit.named.key, digit.named.values);
  }
}

/** For a screen reader, in the part that is looked at. */
export function announceNumbers(id, text) {
  announce(id, digit.empty ? word("digit.none") : text);
}
