/* A digit in a picture file, as MNIST would have it. */

import { PAD, toMnist } from "./drawing.js";

/** The digit in a picture, dark on light or light on dark, as an image [784]; 0 where there is none. */
export async function readPicture(file) {
  const picture = await createImageBitmap(file);
  const scale = PAD / Math.max(picture.width, picture.height);
  const context = Object.assign(document.createElement("canvas"), { width: PAD, height: PAD }).getContext("2d");
  context.fillStyle = "white"; // shows where the picture is transparent
  const [width, height] = [picture.width, picture.height].map((size) => Math.max(1, Math.round(size * scale)));
  context.fillRect(0, 0, width, height);
  context.drawImage(picture, 0, 0, width, height);
  const { data } = context.getImageData(0, 0, width, height);
  return toMnist(takeOffPaper(data, width, height));
}

/** How far each pixel is from the paper, the commonest grey, as ink [PAD * PAD] in [0, 1]. */
function takeOffPaper(data, width, height) {
  const grey = Float64Array.from(
    { length: width * height },
    (_, i) => (data[4 * i] + data[4 * i + 1] + data[4 * i + 2]) / 765,
  );
  const paper = grey.slice().sort()[grey.length >> 1];
  const away = grey.map((value) => Math.abs(value - paper));
  const most = away.reduce((a, b) => Math.max(a, b), 0.15); // what differs less is no ink
  const ink = new Float64Array(PAD * PAD);
  away.forEach((value, i) => (ink[Math.floor(i / width) * PAD + (i % width)] = value / most > 0.3 ? value / most : 0));
  return ink;
}
