/* The page: which slides are shown, the reader's text, its run beside the slide's own, and what is said of both. */

import { Editor } from "./editor.js";
import { Run } from "./run.js";
import { showBars, showRun, startViews } from "./views.js";
import { showImages } from "../explorer/canvas.js";
import * as page from "../explorer/page.js";
import { Pad, describeDigit, digit, offerImages } from "../explorer/pad.js";
import { readPicture } from "../explorer/picture.js";

const { announce, byId, escape, inNextFrame, number, word } = page;

const programs = JSON.parse(byId("programs").textContent);
const state = { name: null, data: null, slide: null, edit: null };
const program = () => programs[state.name];
const shown = () => state.edit ?? state.slide;

/** Bytes from base64 of what was deflated, and back. */
const through = async (bytes, stream) =>
  new Uint8Array(await new Response(new Blob([bytes]).stream().pipeThrough(stream)).arrayBuffer());
const fromBase64 = (text) =>
  Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (character) => character.charCodeAt(0));
const inflate = (text) => through(fromBase64(text), new DecompressionStream("deflate"));
async function deflate(text) {
  const bytes = await through(new TextEncoder().encode(text), new CompressionStream("deflate"));
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

const editor = new Editor(byId("editor"), { changed: page.atRest(() => train(), 700), run: () => train(true) });

/** Trains the text from scratch, in place of what was there; the slide's own text just shows the slide's run. */
function train(again = false) {
  const { text } = editor;
  if (text === shown()?.text && !again && !shown().error) return;
  state.edit?.stop();
  state.edit = null;
  if (text !== program().code) state.edit = newRun(text);
  else if (again || !state.slide?.worker) trainSlide();
  showEdits();
  show();
}

function trainSlide() {
  state.slide?.stop();
  state.slide = newRun(program().code);
}

const image = () => (digit.empty ? null : Float32Array.from(digit.image));
const newRun = (text) => new Run(text, program(), state.data, image(), told);

function told(run) {
  if (run !== state.edit && run !== state.slide) return;
  if (state.edit) state.slide.yield(state.slide.last?.seen > (state.edit.last?.seen ?? 0)); // while it is ahead
  if (run === shown() && run.error) editor.markError(run.line);
  inNextFrame(show);
}

/** Shows the slides of a name, their own text or another. */
async function open(name, text = programs[name].code) {
  if (name !== state.name) {
    for (const run of [state.slide, state.edit]) run?.stop();
    Object.assign(state, { name, slide: null, edit: null });
    trainSlide();
  }
  editor.show(text, program().code);
  for (const link of document.querySelectorAll("nav a")) link.setAttribute("aria-current", link.hash === `#${name}`);
  describe();
  train();
}

/** What the address asks for: #slides-22-26, with &edit= a button's name, or &text= a reader's own. */
async function openAddress() {
  const [name, ...rest] = location.hash.slice(1).split("&");
  const options = new URLSearchParams(rest.join("&"));
  const known = programs[name] ? name : "slides-22-26";
  const text = options.get("text");
  const own = text && new TextDecoder().decode(await inflate(text).catch(() => new Uint8Array()));
  open(known, own || programs[known].edits[options.get("edit")]);
}

/** The buttons for edits, in the reader's language. */
function describe() {
  const buttons = ["slide", ...Object.keys(program().edits)].map((name) => {
    const button = Object.assign(document.createElement("button"), { innerHTML: word(`edit.${name}`), name });
    button.onclick = () => (location.hash = name === "slide" ? state.name : `${state.name}&edit=${name}`);
    return button;
  });
  byId("edits").replaceChildren(...buttons);
  byId("script").textContent = `${program().script}.py`;
  showEdits();
}

/** Which edit the text is, the lines that it changes, and what to look for. */
function showEdits() {
  const { code, edits } = program();
  const { text } = editor;
  const name = text === code ? "slide" : Object.keys(edits).find((one) => edits[one] === text);
  for (const button of byId("edits").children) button.setAttribute("aria-pressed", button.name === name);
  const without = (all, others) => all.split("\n").filter((line) => line.trim() && !others.split("\n").includes(line));
  const line = (sign, kind) => (text) => `<span class="${kind}">${sign} ${escape(text.trim())}\n</span>`;
  const changed = [...without(code, text).map(line("−", "old")), ...without(text, code).map(line("+", "new"))];
  byId("changed").innerHTML = changed.slice(0, 14).join("");
  byId("look-for").innerHTML = word(name === "slide" ? `look.${state.name}` : name ? `look.${name}` : "look.own");
}

const numberOf = (value) => (value === undefined || value === null ? "" : number(value, Math.abs(value) < 10 ? 3 : 1));

function show() {
  const run = shown();
  if (!run) return;
  showRun(run, state.slide, program(), Boolean(state.edit));
  const { last, line, looked } = run;
  const error = run.error ?? state.slide.error;
  byId("error").hidden = !error;
  byId("error").textContent = error ? `${line ? word("line", { line }) : ""}${error}` : "";
  const how = program().view === "gaussians" ? "sampled" : run.rests ? "rests" : run.worker ? "trains" : "stopped";
  byId("status").textContent = last ? word(how, { seen: last.seen.toLocaleString() }) : error ? "" : word("building");
  byId("more").hidden = !run.rests;
  byId("stop").disabled = ![state.edit, state.slide].some((one) => one?.worker && !one.rests);
  byId("curve-caption").textContent = word(`curve.${program().curve}`) + (state.edit ? word("curve.ghost") : "");
  const timed = last?.seen && last.speed !== undefined;
  const speed = timed && { kernels: last.kernels, speed: numberOf(10 * last.speed) };
  byId("kernels-used").textContent = timed ? word("kernels", speed) : "";
  byId("printed").textContent = last?.printed.join("\n") ?? "";
  byId("printed-box").hidden = !last?.printed.length;
  document.querySelector(".results").classList.toggle("stale", !last); // what it shows is of the run before
  if (last) showNumbers(last, state.edit && state.slide.at(last.seen));
  showLooked(looked);
  if (run.rests) announce("said", byId("numbers").innerText);
}

/** The numbers that the text itself names, and those of the slide, measured on whatever the text has made. */
function showNumbers({ own, slide, objective, seen, unmeasured }, ghost) {
  const cells = (...values) => values.slice(0, ghost ? 2 : 1).map((value) => `<td>${value}</td>`).join("");
  const row = (name, ...values) =>
    `<tr><th scope="row">${word(`number.${name}`)}</th>${cells(...values.map(numberOf))}</tr>`;
  const rows = (values, others) => Object.keys(values).map((name) => row(name, values[name], others?.[name]));
  const part = (key) => `<tr class="part"><th colspan="3">${word(key)}</th></tr>`;
  const trained = objective === undefined ? [] : [row("objective", seen ? objective : null, ghost?.objective)];
  const { bound, ...others } = slide; // the slide's own text has the bound as its elbo
  const parts = [part("numbers.own"), ...trained, ...rows(ghost ? own : { ...own, ...others, ...own }, ghost?.own)];
  const title = () => cells(word("yours"), word("slides", { seen: ghost.seen.toLocaleString() }));
  if (ghost) parts.unshift(`<tr><td></td>${title()}</tr>`);
  if (ghost) parts.push(part("numbers.slide"), ...rows(slide, ghost.slide));
  if (unmeasured) parts.push(`<tr><td colspan="3">${word("unmeasured")} ${escape(unmeasured)}</td></tr>`);
  byId("numbers").innerHTML = parts.join("");
}

/** What the model makes of the reader's digit. */
function showLooked(looked) {
  byId("looked").hidden = !looked;
  if (!looked) return;
  byId("decoded").hidden = !looked.decoded;
  byId("looked-bars").hidden = !looked.answer?.length;
  if (looked.decoded) showImages(byId("decoded"), [looked.decoded]);
  const { answer } = looked;
  if (answer?.length) showBars(byId("looked-bars"), answer, answer.indexOf(Math.max(...answer)));
}

/** The script with the text in its place; a default that build_graph's arguments got becomes main's, too. */
function script() {
  const { text: whole, code } = program();
  const parameters = (text) => {
    const list = text.match(/def build_graph\(([^)]*)\)/)?.[1] ?? "";
    return Object.fromEntries([...list.matchAll(/(\w+)=([^,]+)/g)].map(([, name, value]) => [name, value.trim()]));
  };
  const [before, now, [start, end]] = [parameters(code), parameters(editor.text), whole.split(code)];
  const changed = Object.keys(before).filter((name) => name in now && now[name] !== before[name]);
  const line = (name) => new RegExp(`^(    ${name}: \\w+ = ).*,$`, "m");
  const main = changed.reduce((text, name) => text.replace(line(name), `$1${now[name]},`), end);
  return start + editor.text.replace(/\n*$/, "\n") + main;
}

function takeHome() {
  const url = URL.createObjectURL(new Blob([script()], { type: "text/x-python" }));
  Object.assign(document.createElement("a"), { href: url, download: `my_${program().script}.py` }).click();
  URL.revokeObjectURL(url);
}

/** Puts the text into the address, and that into the clipboard where the browser lets us. */
async function share() {
  history.replaceState(null, "", `#${state.name}&text=${await deflate(editor.text)}`);
  await navigator.clipboard?.writeText(location.href).catch(() => {});
  byId("shared").textContent = word("shared");
}

async function paste(file) {
  const found = file && (await readPicture(file));
  if (found) digit.show(found, { key: found.some(Boolean) ? "digit.pasted" : "digit.not_found" });
}

function startControls() {
  const click = (id, act) => byId(id).addEventListener("click", act);
  click("train", () => train(true));
  click("stop", () => [state.edit, state.slide].forEach((run) => run?.stop()) ?? show());
  click("more", () => [state.edit, state.slide].forEach((run) => run?.goOn()) ?? show());
  click("undo", () => (location.hash === `#${state.name}` ? open(state.name) : (location.hash = state.name)));
  click("take-home", takeHome);
  click("share", share);
  byId("picture").addEventListener("change", (event) => paste(event.target.files[0]));
  const pasted = ({ clipboardData }) => [...clipboardData.files].find((file) => file.type.startsWith("image/"));
  document.addEventListener("paste", (event) => paste(pasted(event)));
  new Pad(byId("pad"));
  const lookAtDigit = () => (describeDigit(), [state.edit, state.slide].forEach((run) => run?.look(image())), show());
  digit.watch(() => inNextFrame(lookAtDigit));
  addEventListener("hashchange", openAddress);
  page.whenRedrawn(() => state.name && (describe(), show()));
}

async function start() {
  page.startLanguage();
  const packed = JSON.parse(byId("data").textContent);
  const parts = [packed.test.pixels, packed.test.labels, packed.train.labels];
  const [testPixels, testLabels, labels] = await Promise.all(parts.map(inflate));
  const deflated = new Blob([fromBase64(packed.train.pixels)]); // each worker inflates it for itself
  byId("data").remove(); // some megabytes of text
  state.data = { train: { deflated, labels }, test: { pixels: testPixels, labels: testLabels } };
  offerImages(testPixels, [...testLabels.subarray(0, 200)]);
  startViews(state.data);
  startControls();
  await openAddress();
}

start();
window.playground = { state, script, digit: () => [...digit.image] }; // for tests and the curious
