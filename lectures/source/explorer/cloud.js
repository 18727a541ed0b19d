/* Codes on the plane, each written as the digit that its image shows, in ten colours as in slide 26's picture. */

import { IN_MEMORY } from "./canvas.js";
import { HALF_MASS } from "./gaussian.js";
import { color } from "./page.js";

const GLYPH = 10; // pixels

let stamps = { key: null, all: [] }; // kept until the colours or the screen change

/** The ten digits in a colour each, to stamp thousands of. */
function makeStamps(scale) {
  const key = `${scale} ${color("digit-0")}`;
  if (stamps.key !== key) stamps = { key, all: drawStamps(scale) };
  return stamps.all;
}

function drawStamps(scale) {
  return Array.from({ length: 10 }, (_, digit) => {
    const stamp = document.createElement("canvas");
    stamp.width = stamp.height = Math.ceil(GLYPH * 1.4 * scale);
    const context = stamp.getContext("2d", IN_MEMORY);
    context.scale(scale, scale);
    Object.assign(context, { textAlign: "center", textBaseline: "middle", fillStyle: color(`digit-${digit}`) });
    context.font = `600 ${GLYPH}px ui-sans-serif, system-ui, sans-serif`;
    context.fillText(digit, GLYPH * 0.7, GLYPH * 0.75);
    return stamp;
  });
}

/** Every code [2] as its label; of a chosen digit the others are faint. */
export function stampCodes(context, plane, codes, labels, chosen = null) {
  const { scale } = plane.chart;
  const some = makeStamps(scale);
  context.save();
  context.resetTransform(); // to whole pixels of the screen
  codes.forEach((code, n) => {
    const digit = labels[n];
    context.globalAlpha = chosen === null ? 0.75 : chosen === digit ? 1 : 0.08;
    const [x, y] = plane.toPixels(code);
    const stamp = some[digit];
    context.drawImage(stamp, Math.round(x * scale - stamp.width / 2), Math.round(y * scale - stamp.height / 2));
  });
  context.restore();
}

/** Circles that hold half, and 99 percent, of the prior's mass. */
export function paintPrior(context, plane) {
  Object.assign(context, { strokeStyle: color("soft"), lineWidth: 1.5 });
  context.setLineDash([3, 5]);
  for (const radius of [HALF_MASS, Math.sqrt(-2 * Math.log(0.01))]) {
    context.beginPath();
    context.arc(...plane.toPixels([0, 0]), radius * plane.unit, 0, 2 * Math.PI);
    context.stroke();
  }
  context.setLineDash([]);
}
