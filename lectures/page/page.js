// A page of the notes at work: where one is in the contents, the other language at the same section, the search of all
// pages, whose texts page.py has put into search.en.js and search.zh.js, and where old links lead.
"use strict";

const text = document.querySelector("main");
const headings = [...text.querySelectorAll("h1, h2, h3")];
const contents = document.querySelector("#contents");
const opener = document.querySelector("#open-contents");
const language = document.querySelector("#language");
const otherPage = language.getAttribute("href");

// The contents, which a narrow screen shows on request

function openContents(open) {
  contents.classList.toggle("open", open);
  opener.setAttribute("aria-expanded", String(open));
}

opener.addEventListener("click", () => openContents(!contents.classList.contains("open")));
contents.addEventListener("click", (event) => event.target.closest("a") && openContents(false));

// The section that is read: the last whose heading has come to the upper part of the window

let current = null;

function follow() {
  const last = headings.findLast((heading) => heading.getBoundingClientRect().top < 150) ?? headings[0];
  if (last === current) return;
  current = last;
  language.href = `${otherPage}#${last.dataset.other}`;
  for (const link of contents.querySelectorAll("a")) {
    const here = link.pathname === location.pathname && decodeURIComponent(link.hash) === `#${last.id}`;
    here ? link.setAttribute("aria-current", "location") : link.removeAttribute("aria-current");
    if (here && contents.scrollHeight > contents.clientHeight) {
      const above = link.offsetTop - contents.scrollTop;
      if (above < 40 || above > contents.clientHeight - 60) contents.scrollTop = link.offsetTop - contents.clientHeight / 2;
    }
  }
}

let waiting = false;
addEventListener("scroll", () => {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => { waiting = false; follow(); });
}, { passive: true });
addEventListener("hashchange", follow);
addEventListener("load", follow);
document.fonts.ready.then(follow);
follow();

// What scrolls in itself can be scrolled by the keyboard.

function reachScrollers() {
  for (const box of text.querySelectorAll("pre, .wide, .formula, .long")) {
    box.scrollWidth > box.clientWidth ? (box.tabIndex = 0) : box.removeAttribute("tabindex");
  }
}

addEventListener("load", reachScrollers);
addEventListener("resize", reachScrollers);

// The search: each paragraph, list entry, row and block of code is a document; in Chinese each character is a word.

const BLOCKS = "h1, h2, h3, p, li, tr, pre"; // page.py counts them in the same way
const file = text.dataset.file;
const field = document.querySelector("#search");
const results = document.querySelector("#results");
const found = document.querySelector("#found");
const count = document.querySelector("#count");
const MOST = 30;
let index = null;
let selected = -1;
const blocks = TEXTS.map(([page, number, section, isHeading, content]) => ({ page, number, section, isHeading, content }));

function words(string) {
  return string.toLowerCase().match(/\p{Script=Han}|(?:(?!\p{Script=Han})[\p{L}\p{N}_])+/gu) ?? []; // "KL消失" has three
}

function collect() {
  index = new MiniSearch({
    fields: ["content", "section"],
    tokenize: words,
    processTerm: (term) => term,
    searchOptions: { combineWith: "AND", prefix: true, boost: { section: 0.3 } },
  });
  index.addAll(blocks.map(({ content, section }, id) => ({ id, content, section })));
}

function search(query) {
  if (!index) collect();
  const exact = query.toLowerCase();
  return index.search(query, {
    fuzzy: (term) => (term.length > 4 ? 0.2 : false),
    boostDocument: (id) => {
      const { content, isHeading, page } = blocks[id];
      return (content.toLowerCase().includes(exact) ? 4 : 1) * (isHeading ? 3 : 1) * (page === file ? 1.3 : 1);
    },
  });
}

function excerpt(content, terms) {
  const first = Math.min(...terms.map((term) => content.toLowerCase().indexOf(term)).filter((at) => at >= 0), content.length);
  const start = first < 60 || first === content.length ? 0 : first - 40;
  return (start ? "… " : "") + content.slice(start, start + 150) + (start + 150 < content.length ? " …" : "");
}

function markIn(element, terms) {
  const pattern = new RegExp(terms.map((term) => term.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|"), "gi");
  const pieces = element.textContent.split(pattern);
  const hits = element.textContent.match(pattern) ?? [];
  element.replaceChildren();
  pieces.forEach((piece, i) => {
    element.append(piece);
    if (hits[i]) element.append(Object.assign(document.createElement("mark"), { textContent: hits[i] }));
  });
}

function show() {
  const query = field.value.trim();
  found.replaceChildren();
  select(-1);
  results.hidden = !words(query).length;
  field.setAttribute("aria-expanded", String(!results.hidden));
  if (results.hidden) return;
  const hits = search(query);
  count.textContent = hits.length ? `${hits.length} ${field.dataset.found}` : field.dataset.nothing;
  hits.slice(0, MOST).forEach((hit, i) => {
    const block = blocks[hit.id];
    const entry = Object.assign(document.createElement("li"), { id: `found-${i}`, role: "option" });
    entry.dataset.block = hit.id;
    const title = Object.assign(document.createElement("strong"), { textContent: block.section });
    const body = Object.assign(document.createElement("span"), { textContent: excerpt(block.content, hit.terms) });
    markIn(block.isHeading ? title : body, hit.terms);
    entry.append(title, block.isHeading ? "" : body);
    entry.addEventListener("click", () => go(entry));
    found.append(entry);
  });
}

function select(i) {
  found.children[selected]?.setAttribute("aria-selected", "false");
  selected = i;
  const entry = found.children[i];
  entry?.setAttribute("aria-selected", "true");
  entry?.scrollIntoView({ block: "nearest" });
  entry ? field.setAttribute("aria-activedescendant", entry.id) : field.removeAttribute("aria-activedescendant");
}

function close() {
  results.hidden = true;
  field.setAttribute("aria-expanded", "false");
  select(-1);
}

function go(entry) {
  const { page, number } = blocks[entry.dataset.block];
  close();
  if (page === file) showBlock(number);
  else location.href = `${page}#block-${number}`;
}

function showBlock(number) {
  const element = text.querySelectorAll(BLOCKS)[number];
  if (!element) return;
  for (let around = element.closest("details"); around; around = around.parentElement.closest("details")) around.open = true;
  document.querySelector(".target")?.classList.remove("target");
  element.classList.add("target");
  element.tabIndex = -1;
  element.focus({ preventScroll: true });
  element.scrollIntoView({ block: "center" });
}

// Where the address leads: to a block that a search on another page has found, or to what once stood on this page

const moved = JSON.parse(document.querySelector("#moved")?.textContent ?? "{}");

function arrive() {
  const name = decodeURIComponent(location.hash.slice(1));
  const block = name.match(/^block-(\d+)$/);
  if (block) showBlock(Number(block[1]));
  else if (name in moved && !document.getElementById(name)) location.replace(moved[name]);
}

addEventListener("hashchange", arrive);
arrive();

field.addEventListener("input", show);
field.addEventListener("focus", show);
field.addEventListener("keydown", (event) => {
  const last = found.children.length - 1;
  if (event.key === "ArrowDown") select(Math.min(selected + 1, last));
  else if (event.key === "ArrowUp") select(Math.max(selected - 1, -1));
  else if (event.key === "Enter" && last >= 0) go(found.children[Math.max(selected, 0)]);
  else if (event.key === "Escape") { field.value = ""; close(); field.blur(); }
  else return;
  event.preventDefault();
});
addEventListener("click", (event) => event.target.closest(".search") || close());
addEventListener("keydown", (event) => {
  if (event.key === "/" && !event.ctrlKey && !event.metaKey && document.activeElement !== field) {
    event.preventDefault();
    field.focus();
  } else if (event.key === "Escape") {
    openContents(false);
    document.querySelector(".target")?.classList.remove("target");
  }
});
