// The calls of Hellotext's client (contracts/hellotext A), with what it lacks: event ids, batches, a queue that
// survives navigation, beacons, consent. An event sent twice carries the same id, so nothing is counted twice.

import { dropCookie, readCookie, readQueue, writeCookie, writeQueue } from "./store.js";

const SOON = 50;
const RETRY = 5000;
const LATE = 5000; // younger events are timed by the collector's clock, which is right
const AT_ONCE = 25;
const VIEW = /\.viewed$|^search/;
const VIEWS = 2000;
const ACTS = 1000;

let business, root, timer;
let busy = false;
let queue = [];
let consent;
let required = false;
let keeping = false;
const waiting = new Map();
const recent = new Map();
const listeners = {};

const uuid = () =>
  crypto.randomUUID
    ? crypto.randomUUID()
    : "10000000-1000-4000-8000-100000000000".replace(/[018]/g, (c) =>
        (c ^ (crypto.getRandomValues(new Uint8Array(1))[0] & (15 >> (c / 4)))).toString(16));

const query = () => new URLSearchParams(location.search);
const emit = (name, detail) => (listeners[name] || []).forEach((listener) => listener(detail));
const silent = () => consent === "denied";
const held = () => required && consent !== "granted";

const answer = (succeeded, data) => ({ succeeded, failed: !succeeded, data, json: async () => data });

const post = (path, body) =>
  fetch(root + path, {
    method: "POST",
    headers: { Authorization: "Bearer " + business, Accept: "application/json", "Content-Type": "application/json" },
    body,
    keepalive: body.length < 60000,
  });

const cookie = (name, value) => {
  if (!silent() && !held()) writeCookie(name, value);
};

const utm = () => {
  const search = query();
  const found = {};
  for (const part of ["source", "medium", "campaign", "term", "content"]) {
    const value = search.get("utm_" + part);
    if (value) found[part] = value;
  }
  if (found.source && found.medium) {
    const known = readCookie("hello_utm") || "";
    const told = JSON.stringify(found).slice(0, -1);
    // The first sight of a campaign is its click: reloading the landing page is none.
    if (!known.startsWith(told + ',"observed_at"')) {
      found.observed_at = new Date().toISOString();
      cookie("hello_utm", JSON.stringify(found));
      return found;
    }
  }
  try {
    return JSON.parse(readCookie("hello_utm"));
  } catch (_) {
    return found.source && found.medium ? found : {};
  }
};

const page = (url) => {
  const parsed = url ? (/^https?:/.test(url) ? new URL(url).pathname : "/") : location.pathname;
  return { url: url || location.href, title: document.title, path: parsed, referrer: document.referrer || undefined };
};

const settle = (event, result) => {
  const resolve = waiting.get(event.event_id);
  waiting.delete(event.event_id);
  if (resolve) resolve(result);
};

const save = () => {
  if (!silent()) writeQueue(queue);
};

const later = (delay) => {
  if (!timer) timer = setTimeout(flush, delay);
};

const body = (events) => JSON.stringify({ events: events.map(wire), sent_at: new Date().toISOString() });

const wire = (event) => {
  const { queued_at, ...body } = event;
  if (!body.tracked_at && Date.now() - queued_at > LATE) body.tracked_at = new Date(queued_at).toISOString();
  return body;
};

async function flush() {
  timer = undefined;
  if (busy || !queue.length || held()) return;
  busy = true;
  const sent = queue.slice(0, AT_ONCE);
  let delay = SOON;
  try {
    const response = await post("/track/batch", body(sent));
    const data = await response.json();
    if (response.status === 429 || response.status >= 500) throw response;
    const results = data.results || [];
    sent.forEach((event, n) => {
      const result = results[n] || data;
      settle(event, answer(response.status === 200 && result.status === "received", result));
    });
    queue = queue.filter((event) => !sent.includes(event));
  } catch (_) {
    // Offline, blocked or busy: the events stay queued, and who waits learns that they are.
    sent.forEach((event) => settle(event, answer(false, { status: "queued" })));
    delay = RETRY;
  }
  busy = false;
  save();
  if (queue.length) later(delay);
}

// Leaving: a beacon outlives the page, but nobody hears its answer. So the events stay queued, and the next page
// sends them again under the same ids.
const leave = () => {
  if (!queue.length || held() || !navigator.sendBeacon) return;
  const blob = new Blob([body(queue.slice(0, AT_ONCE))], { type: "text/plain" });
  navigator.sendBeacon(`${root}/track/batch?business=${business}`, blob);
  save();
};

const enqueue = (event) => {
  if (silent() || query().has("hello_preview")) return Promise.resolve(answer(false, { status: "filtered" }));
  event = { event_id: uuid(), queued_at: Date.now(), consent, ...event };
  queue.push(event);
  if (!held()) save();
  later(SOON);
  return new Promise((resolve) => waiting.set(event.event_id, resolve));
};

// Browsers forget within a week what a script has stored; what a server of the shop's own site sets, they keep. So the
// cookie is asked for once a visit, and not written over.
const keep = (session) => {
  if (!keeping || silent() || held() || sessionStorage.getItem("hello_kept") === session) return;
  fetch(`${root}/track/sessions?business=${business}&cookie=1&session=${encodeURIComponent(session)}`, {
    method: "POST", credentials: "include",
  }).then((response) => response.ok && sessionStorage.setItem("hello_kept", session), () => {});
};

const digest = async (text) => {
  if (!crypto.subtle) return text.length + ":" + text.slice(0, 64);
  const bytes = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return "v1:" + Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");
};

// Tags fire twice: a theme's and a tag manager's, or VTEX's own messages (contracts/vtex NOTES 6, known issues). The same
// told again within a moment is one event, as the tracking agent has it for clients without ids (docs/tracking.md). Who
// gives an id knows best; the order form may become known between the two.
const once = (action, url, { event_id, order_form, ...content }, send) => {
  if (event_id) return send();
  const now = Date.now();
  const told = JSON.stringify([action, url, content]);
  const seen = recent.get(told);
  if (seen && now - seen.at < (VIEW.test(action) ? VIEWS : ACTS)) return seen.sent;
  recent.forEach((one, key) => now - one.at < VIEWS || recent.delete(key));
  const sent = send();
  recent.set(told, { at: now, sent });
  return sent;
};

export class Hellotext {
  static async initialize(id, config = {}) {
    business = id;
    root = (config.apiRoot || root || "").replace(/\/$/, "");
    required = !!config.requireConsent;
    keeping = !!config.keepSession;
    consent = config.consent || readCookie("hello_consent") || (navigator.globalPrivacyControl ? "denied" : undefined);
    if (silent()) return;
    queue = readQueue().concat(queue);
    const told = query().get("hello_session") || config.session;
    const known = told || readCookie("hello_session");
    if (known && known !== "undefined") Hellotext.setSession(known);
    else if (config.autoGenerateSession !== false) Hellotext.setSession(uuid());
    if (!readCookie("hello_session_ack_at")) Hellotext.acknowledge();
    addEventListener("pagehide", leave);
    addEventListener("online", flush);
    if (queue.length) later(SOON);
  }

  static setSession(session) {
    const known = readCookie("hello_session") === session;
    if (!known) dropCookie("hello_session_ack_at");
    Hellotext.session = session;
    if (!known || !keeping) cookie("hello_session", session);
    keep(session);
    emit("session-set", session);
  }

  static acknowledge() {
    cookie("hello_session_ack_at", new Date().toISOString());
    enqueue({ kind: "acknowledgement", session: Hellotext.session, utm_params: utm(), at: new Date().toISOString() });
  }

  static get isInitialized() {
    return !!business;
  }

  static track(action, params = {}) {
    if (!business) throw new Error("Hellotext.initialize(businessId) comes before track.");
    const { headers, ...rest } = params;
    const id = readCookie("hello_user_id");
    const user = id ? { id, source: readCookie("hello_user_source") } : {};
    const shown = page(params.url);
    return once(action, shown.url, rest, () =>
      enqueue({ session: Hellotext.session, user_parameters: user, action, ...rest, page: shown, utm_params: utm() }));
  }

  static async identify(id, options = {}) {
    if (!business) throw new Error("Hellotext.initialize(businessId) comes before identify.");
    const kept = Object.keys(options).sort().filter((key) => options[key] !== "" && options[key] != null);
    const hash = await digest(JSON.stringify([Hellotext.session, id, kept.map((key) => [key, options[key]])]));
    if (readCookie("hello_user_identification_hash") === hash) return answer(true, { already_identified: true });
    const result = await enqueue({ kind: "identification", session: Hellotext.session, user_id: id, ...options });
    if (result.succeeded) {
      cookie("hello_user_id", id);
      cookie("hello_user_source", options.source || "");
      cookie("hello_user_identification_hash", hash);
    }
    return result;
  }

  static forget() {
    ["hello_user_id", "hello_user_source", "hello_user_identification_hash"].forEach(dropCookie);
  }

  // "granted" or "denied". Denied: nothing is sent, and nothing of ours stays in the browser but the choice itself.
  static setConsent(choice) {
    consent = choice;
    writeCookie("hello_consent", choice);
    if (silent()) {
      queue.splice(0).forEach((event) => settle(event, answer(false, { status: "filtered" })));
      writeQueue([]);
      Hellotext.forget();
      ["hello_session", "hello_session_ack_at", "hello_utm"].forEach(dropCookie);
      return;
    }
    queue.forEach((event) => (event.consent = choice));
    if (Hellotext.session) Hellotext.setSession(Hellotext.session);
    utm();
    save();
    later(SOON);
  }

  static on(name, listener) {
    (listeners[name] = listeners[name] || []).push(listener);
  }

  static removeEventListener(name, listener) {
    listeners[name] = (listeners[name] || []).filter((other) => other !== listener);
  }
}
