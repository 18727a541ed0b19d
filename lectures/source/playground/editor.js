/* The code, as text that can be edited: colours behind a transparent text area, and marks on lines. */

import { escape } from "../explorer/page.js";

const PARTS =
  /(#.*)|("""[^]*?"""|"[^"\n]*"|'[^'\n]*')|\b(def|return|with|as|if|elif|else|for|in|not|and|or|is|None|True|False)\b/g;

export class Editor {
  /** changed() is called at each edit of the reader's; run() at Ctrl+Enter. */
  constructor(box, { changed, run }) {
    [this.area, this.sheet] = [box.querySelector("textarea"), box.querySelector("pre")];
    this.marks = { original: new Set(), error: null };
    this.area.addEventListener("input", () => {
      this.marks.error = null;
      this.paint();
      changed();
    });
    this.area.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) (event.preventDefault(), run());
      else if (event.key === "Enter") (event.preventDefault(), this.breakLine());
    });
  }

  get text() {
    return this.area.value;
  }

  /** Shows a text; lines that the original lacks are marked as edited, and the first of them comes into sight. */
  show(text, original) {
    this.marks = { original: new Set(original.split("\n")), error: null };
    Object.assign(this.area, { value: text, readOnly: false }); // until there is a text, none may be typed
    this.paint();
    const [box, edited] = [this.sheet.parentElement, this.sheet.querySelector(".edited")];
    box.scrollTop = edited ? edited.offsetTop - box.clientHeight / 2 : 0;
  }

  markError(line) {
    this.marks.error = line;
    this.paint();
  }

  /** A new line begins where the one before did, and four places further on after a colon. */
  breakLine() {
    const { selectionStart: at } = this.area;
    const line = this.text.slice(0, at).split("\n").at(-1);
    const indent = line.match(/^ */)[0] + (/:\s*(#.*)?$/.test(line) ? "    " : "");
    this.area.setRangeText(`\n${indent}`, at, this.area.selectionEnd, "end");
    this.area.dispatchEvent(new Event("input"));
  }

  paint() {
    const span = (kind) => (part) => `<span class="${kind}">${part}</span>`;
    const coloured = escape(this.text).replace(PARTS, (all, comment, string) =>
      all.split("\n").map(span(comment ? "comment" : string ? "string" : "keyword")).join("\n"),
    );
    const plain = this.text.split("\n");
    const edited = (n) => (this.marks.original.has(plain[n]) ? "" : "edited");
    const wrong = (n) => (this.marks.error === n + 1 ? "wrong" : "");
    const line = (html, n) => span(`line ${edited(n)} ${wrong(n)}`)(`${html}\n`);
    this.sheet.innerHTML = coloured.split("\n").map(line).join("");
  }
}
