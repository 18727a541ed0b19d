/* What all parts share: words in two languages, colours of the theme, frames, and numbers as text. */

const words = JSON.parse(document.getElementById("words").textContent);

const redraws = [];
let language = "en";
let colors = {};

/** A text of the page in its language, {names} replaced by values. */
export function word(key, values = {}) {
  return words[key][language].replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

/** Text as HTML shows it. */
export const escape = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");

/** Calls a function now, and whenever language or theme have changed. */
export function whenRedrawn(draw) {
  redraws.push(draw);
  draw();
}

function redraw() {
  colors = {};
  redraws.forEach((draw) => draw());
}

export function setLanguage(chosen) {
  language = chosen;
  document.documentElement.lang = chosen === "zh" ? "zh-Hans" : "en";
  document.title = word("title");
  for (const element of document.querySelectorAll("[data-word]")) element.innerHTML = word(element.dataset.word);
  for (const element of document.querySelectorAll("[data-label]")) {
    element.setAttribute("aria-label", word(element.dataset.label));
  }
  for (const button of document.querySelectorAll("[data-language]")) {
    button.setAttribute("aria-pressed", button.dataset.language === chosen);
  }
  for (const link of document.querySelectorAll("[data-zh]")) link.href = link.dataset[chosen];
  redraw();
}

/** The language that the address asks for (?lang=zh), or the browser. */
export function startLanguage() {
  const asked = new URLSearchParams(location.search).get("lang") ?? navigator.language;
  setLanguage(asked.startsWith("zh") ? "zh" : "en");
  for (const button of document.querySelectorAll("[data-language]")) {
    button.addEventListener("click", () => setLanguage(button.dataset.language));
  }
}

for (const query of ["(prefers-color-scheme: dark)", "(forced-colors: active)"]) {
  matchMedia(query).addEventListener("change", redraw);
}

/** A colour of style.css by its name. */
export function color(name) {
  colors[name] ??= getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  return colors[name];
}

export function byId(id) {
  return document.getElementById(id);
}

const waiting = new Set();
let asked = false;

/** Does some work in the next frame, once, however often it is asked for; with the work that it asks for in turn. */
export function inNextFrame(work) {
  waiting.add(work);
  if (asked) return;
  asked = true;
  requestAnimationFrame(() => {
    asked = false;
    for (const one of waiting) {
      waiting.delete(one);
      one();
    }
  });
}

/** A function that does the work once it has not been called for some milliseconds. */
export function atRest(work, milliseconds) {
  let timer;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(work, milliseconds);
  };
}

const spoken = new Map();

/** Tells a screen reader, once the text stands still; what is shown says it at once. */
export function announce(id, text) {
  clearTimeout(spoken.get(id));
  spoken.set(
    id,
    setTimeout(() => (byId(id).textContent = text), 600),
  );
}

/** A number as the page prints it, with a minus sign that is as wide as a plus. */
export function number(value, digits = 2) {
  const text = Math.abs(value).toFixed(digits);
  return value < 0 && Number(text) !== 0 ? `−${text}` : text;
}

export function point([first, second]) {
  return `(${number(first)}, ${number(second)})`;
}

export const calm = matchMedia("(prefers-reduced-motion: reduce)");
