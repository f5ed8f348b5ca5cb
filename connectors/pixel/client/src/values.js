// What the page gives, and what is made of it.

import { attempt } from "./store.js";

export const uuid = () =>
  crypto.randomUUID
    ? crypto.randomUUID()
    : "10000000-1000-4000-8000-100000000000".replace(/[018]/g, (c) =>
        (c ^ (crypto.getRandomValues(new Uint8Array(1))[0] & (15 >> (c / 4)))).toString(16));

// What the page gives, as it is now: it may go on changing its objects. What JSON cannot hold (a circle) is left out, and
// half of a letter, which a cut through an emoji leaves, is replaced: it is no JSON to most readers.
const writable = (_, value) =>
  typeof value === "bigint" ? String(value) : typeof value === "string" && value.toWellFormed ? value.toWellFormed() : value;

export const plain = (given) => {
  const kept = {};
  for (const name of Object.keys(given || {})) {
    const text = attempt(() => JSON.stringify(given[name], writable));
    if (text !== undefined) kept[name] = JSON.parse(text);
  }
  return kept;
};

export const digest = async (text) => {
  if (!crypto.subtle) return text.length + ":" + text.slice(0, 64);
  const bytes = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return "v1:" + Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");
};

// Older clients and links write what they have not (contracts/hellotext A6.1).
export const real = (session) => session && session !== "undefined" && session !== "null";
