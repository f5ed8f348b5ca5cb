// The calls of Hellotext's client (contracts/hellotext A), with what it lacks: event ids, batches, a queue that
// survives navigation, beacons, consent. An event sent twice carries the same id, so nothing is counted twice.

import { takeCalls } from "./calls.js";
import { attempt, dropCookie, dropQueue, note, readCookie, readQueue, recall, writeCookie, writeQueue } from "./store.js";
import { digest, plain, real, uuid } from "./values.js";

const SOON = 50;
const RETRY = 5000; // then twice as long each time, up to a minute
const LONGEST_RETRY = 60000;
const LATE = 5000; // younger events are timed by the collector's clock, which is right
const OLDEST = 6 * 86400000; // an id is known for seven days (docs/tracking.md): later it would count again
const AT_ONCE = 25;
const MOST = 500; // of what the collector takes at once
const CARRIED = 60000; // browsers carry no more than 64 kB over the end of a page
const VIEW = /\.viewed$|^search/;
const VIEWS = 2000;
const ACTS = 1000;

let business, root, timer, settings, arrival;
let begun = false;
let busy = false;
let saving = false;
let atOnce = AT_ONCE;
let pause = RETRY;
let queue = [];
let consent, chosen;
let called; // when the call that is at work was made, if that was before we were there
let required = false;
let keeping = false;
const waiting = new Map();
const recent = new Map();
const done = new Set(); // ids that the collector has answered for
const listeners = {};

const now = () => called || Date.now();
const query = () => new URLSearchParams(location.search);
const emit = (name, detail) => (listeners[name] || []).forEach((listener) => listener(detail));
const silent = () => consent === "denied";
// A page that is rendered beforehand has not been visited, and may never be.
const held = () => document.prerendering || (required && consent !== "granted");

const answer = (succeeded, data) => ({ succeeded, failed: !succeeded, data, json: async () => data });

const post = (path, body) =>
  fetch(root + path, {
    method: "POST",
    headers: { Authorization: "Bearer " + business, Accept: "application/json", "Content-Type": "application/json" },
    body,
    keepalive: new Blob([body]).size < CARRIED,
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
    // A cookie ends at a semicolon; so written, JSON says the same without one.
    const told = JSON.stringify(found).slice(0, -1).replace(/;/g, "\\u003b");
    // The first sight of a campaign is its click: reloading the landing page is none, nor is the page's next event, though
    // the browser keep no cookie or may not yet.
    if (!(readCookie("hello_utm") || "").startsWith(told + ',"observed_at"')) {
      if (!arrival || arrival.told !== told) arrival = { told, at: new Date().toISOString() };
      cookie("hello_utm", told + ',"observed_at":"' + arrival.at + '"}');
      return Object.assign(found, { observed_at: arrival.at });
    }
  }
  try {
    return JSON.parse(readCookie("hello_utm"));
  } catch (_) {
    return found.source && found.medium ? found : {};
  }
};

const page = (url) => {
  const path = url ? (/^https?:/.test(url) && attempt(() => new URL(url).pathname)) || "/" : location.pathname;
  return plain({ url: url || location.href, title: document.title, path, referrer: document.referrer || undefined });
};

const settle = (event, result) => {
  done.add(event.event_id);
  tell(event, result);
};

const tell = (event, result) => {
  const resolve = waiting.get(event.event_id);
  waiting.delete(event.event_id);
  if (resolve) resolve(result);
};

const store = () => {
  saving = false;
  if (!silent() && !held()) writeQueue(queue, done);
};

// Once for all that a page tells in one go.
const save = () => {
  if (!saving) saving = Promise.resolve().then(store);
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

// What says that the whole is too large or unreadable may mean a single one of the events.
const refused = (response, sent) => sent.length > 1 && [400, 413, 422].includes(response.status);

const expired = answer(false, { status: "expired" });

async function flush() {
  timer = undefined;
  heed();
  if (busy || !queue.length || held()) return;
  queue = queue.filter((event) => Date.now() - event.queued_at < OLDEST || settle(event, expired));
  busy = true;
  const sent = queue.slice(0, atOnce);
  let delay = SOON;
  try {
    const response = await post("/track/batch", body(sent));
    const data = await response.json();
    if ([408, 429].includes(response.status) || response.status >= 500) throw response;
    if (refused(response, sent)) atOnce = Math.ceil(sent.length / 2);
    else {
      const results = data.results || [];
      sent.forEach((event, n) => {
        const result = results[n] || data;
        settle(event, answer(response.status === 200 && result.status === "received", result));
      });
      queue = queue.filter((event) => !sent.includes(event));
      atOnce = Math.min(atOnce * 2, AT_ONCE);
    }
    pause = RETRY;
  } catch (_) {
    // Offline, blocked or busy: the events stay queued, and who waits learns that they are.
    sent.forEach((event) => tell(event, answer(false, { status: "queued" })));
    delay = pause;
    pause = Math.min(pause * 2, LONGEST_RETRY);
  }
  busy = false;
  save();
  if (queue.length) later(delay);
}

// Leaving: a beacon outlives the page, but nobody hears its answer. So the events stay queued, and the next page
// sends them again under the same ids. As many beacons as the browser takes: where it stores nothing, they are all.
const leave = () => {
  if (!queue.length || held()) return;
  const address = `${root}/track/batch?business=${business}`;
  const taken = (events) => {
    const blob = new Blob([body(events)], { type: "text/plain" });
    return blob.size < CARRIED && navigator.sendBeacon(address, blob);
  };
  for (let from = 0, count = MOST; count && from < queue.length; ) {
    if (attempt(() => taken(queue.slice(from, from + count)))) from += count;
    else count >>= 1;
  }
  store();
};

const enqueue = (event) => {
  heed();
  if (silent() || query().has("hello_preview")) return Promise.resolve(answer(false, { status: "filtered" }));
  event = { event_id: uuid(), queued_at: now(), consent, ...event };
  queue.push(event);
  save();
  later(SOON);
  return new Promise((resolve) => waiting.set(event.event_id, resolve));
};

// Browsers forget within a week what a script has stored; what a server of the shop's own site sets, they keep. So the
// cookie is asked for once a visit, and not written over.
const keep = (session) => {
  if (!keeping || silent() || held() || recall("hello_kept") === session) return;
  fetch(`${root}/track/sessions?business=${business}&cookie=1&session=${encodeURIComponent(session)}`, {
    method: "POST", credentials: "include",
  }).then((response) => response.ok && note("hello_kept", session), () => {});
};

// Tags fire twice: a theme's and a tag manager's, or VTEX's own messages (contracts/vtex NOTES 6, known issues). The same
// told again within a moment is one event, as the tracking agent has it for clients without ids (docs/tracking.md). Who
// gives an id knows best; the order form may become known between the two.
const once = (url, { event_id, order_form, ...content }, send) => {
  if (event_id) return send();
  const at = now();
  const told = JSON.stringify([url, content]);
  const seen = recent.get(told);
  if (seen && at - seen.at < (VIEW.test(content.action) ? VIEWS : ACTS)) return seen.sent;
  recent.forEach((one, key) => at - one.at < VIEWS || recent.delete(key));
  const sent = send();
  recent.set(told, { at, sent });
  return sent;
};

// What other pages could not send, or did not hear of again.
const adopt = () => {
  const own = new Set(queue.map((event) => event.event_id));
  queue = readQueue().filter((event) => !own.has(event.event_id) && !done.has(event.event_id)).concat(queue);
  if (queue.length) later(SOON);
};

// What was refused at first may be granted later, in the same page.
const begin = () => {
  begun = true;
  adopt();
  const known = [query().get("hello_session"), settings.session, readCookie("hello_session")].find(real);
  if (known) Hellotext.setSession(known);
  else if (settings.autoGenerateSession !== false) Hellotext.setSession(uuid());
  if (!readCookie("hello_session_ack_at")) Hellotext.acknowledge();
};

// What was held back may go: consent has been granted, or who was expected has come.
const resume = () => {
  if (!begun) begin();
  else {
    adopt();
    if (Hellotext.session) Hellotext.setSession(Hellotext.session);
  }
  utm();
  save();
  later(SOON);
};

// The visitor may have chosen in another tab, or in the page that this one is returned to from.
const heed = () => {
  const choice = readCookie("hello_consent");
  if (choice === chosen) return;
  chosen = choice;
  if (choice) Hellotext.setConsent(choice);
};

// Nothing was seen before now.
const visited = () => {
  queue.forEach((event) => (event.queued_at = Date.now()));
  if (!silent()) resume();
};

// Out of the browser's cache of pages that were left.
const returned = ({ persisted }) => {
  if (!persisted) return;
  heed();
  if (!silent() && !held()) adopt();
};

const run = (at, name, given) => {
  const age = Date.now() - at;
  called = age > 0 && age < OLDEST ? +at : undefined;
  try {
    Hellotext[name](...given);
  } finally {
    called = undefined;
  }
};

export class Hellotext {
  static async initialize(id, config = {}) {
    business = id;
    root = (config.apiRoot || root || "").replace(/\/$/, "");
    required = !!config.requireConsent;
    keeping = !!config.keepSession;
    chosen = readCookie("hello_consent");
    consent = config.consent || chosen || (navigator.globalPrivacyControl ? "denied" : undefined);
    settings = config;
    addEventListener("pagehide", leave);
    addEventListener("online", flush);
    addEventListener("pageshow", returned);
    document.addEventListener("prerenderingchange", visited);
    if (!silent()) begin();
    takeCalls(run);
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

  static async track(action, params) {
    if (!business) throw new Error("Hellotext.initialize(businessId) comes before track.");
    const { headers, ...rest } = plain({ action, ...params });
    const id = readCookie("hello_user_id");
    const user = id ? { id, source: readCookie("hello_user_source") } : {};
    const shown = page(rest.url);
    return once(shown.url, rest, () =>
      enqueue({ session: Hellotext.session, user_parameters: user, ...rest, page: shown, utm_params: utm() }));
  }

  static async identify(id, params) {
    if (!business) throw new Error("Hellotext.initialize(businessId) comes before identify.");
    const queued_at = now();
    const { user_id, ...options } = plain({ user_id: id, ...params });
    const kept = Object.keys(options).sort().filter((key) => options[key] !== "" && options[key] != null);
    const hash = await digest(JSON.stringify([Hellotext.session, user_id, kept.map((key) => [key, options[key]])]));
    if (readCookie("hello_user_identification_hash") === hash) return answer(true, { already_identified: true });
    const result = await enqueue({ kind: "identification", queued_at, session: Hellotext.session, user_id, ...options });
    if (result.succeeded) {
      cookie("hello_user_id", user_id);
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
    chosen = readCookie("hello_consent");
    if (silent()) {
      queue.splice(0).forEach((event) => settle(event, answer(false, { status: "filtered" })));
      dropQueue();
      begun = false;
      Hellotext.session = undefined;
      Hellotext.forget();
      ["hello_session", "hello_session_ack_at", "hello_utm"].forEach(dropCookie);
      return;
    }
    queue.forEach((event) => (event.consent = choice));
    if (business) resume();
  }

  static on(name, listener) {
    (listeners[name] = listeners[name] || []).push(listener);
  }

  static removeEventListener(name, listener) {
    listeners[name] = (listeners[name] || []).filter((other) => other !== listener);
  }
}
