// What pages do besides what a reload does: they ask for nothing while nobody sees them, and know a few keys.
"use strict";

document.addEventListener("htmx:beforeRequest", (event) => {
  if (document.hidden && event.target.closest("[data-live]")) event.preventDefault();
});

// What was asked for before the filter changed may come while the narrowed list is on its way, whose place it would take.
document.addEventListener("htmx:beforeSwap", (event) => {
  const isNarrowing = document.querySelector("[data-filter].htmx-request");
  if (isNarrowing && event.detail.requestConfig.elt.closest("[data-live]")) event.detail.shouldSwap = false;
});

document.addEventListener("visibilitychange", () => {
  if (!document.hidden) document.querySelectorAll("[data-live]").forEach((part) => htmx.trigger(part, "seen"));
});

const isWriting = (element) => element.matches("input:not([type=checkbox]), textarea, select, [contenteditable]");

const KEYS = {
  "/": () => document.querySelector("[data-filter]")?.focus(),
  "?": () => document.getElementById("help").showModal(),
  j: () => document.querySelector("main a[rel=next]")?.click(),
  k: () => document.querySelector("main a[rel=prev]")?.click(),
};

document.addEventListener("keydown", (event) => {
  const does = KEYS[event.key];
  if (!does || event.ctrlKey || event.metaKey || event.altKey || isWriting(event.target)) return;
  event.preventDefault();
  does();
});
