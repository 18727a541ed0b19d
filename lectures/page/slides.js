// The deck's keys: arrows, space, Page Up and Down turn the slides, Home and End go to the first and the last.
"use strict";

const slides = [...document.querySelectorAll(".slide")];
const language = document.querySelector("#language");
const otherDeck = language.getAttribute("href");
const steps = { ArrowRight: 1, ArrowDown: 1, PageDown: 1, " ": 1, ArrowLeft: -1, ArrowUp: -1, PageUp: -1 };

function current() {
  const middle = innerHeight / 2;
  return Math.max(slides.findLastIndex((slide) => slide.getBoundingClientRect().top < middle), 0);
}

function turnTo(i) {
  const slide = slides[Math.min(Math.max(i, 0), slides.length - 1)];
  slide.scrollIntoView({ behavior: "instant" });
  history.replaceState(null, "", `#${slide.id}`);
}

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key in steps) turnTo(current() + (event.key === " " && event.shiftKey ? -1 : steps[event.key]));
  else if (event.key === "Home") turnTo(0);
  else if (event.key === "End") turnTo(slides.length - 1);
  else return;
  event.preventDefault();
});
addEventListener("scroll", () => { language.href = `${otherDeck}#${slides[current()].id}`; }, { passive: true });
