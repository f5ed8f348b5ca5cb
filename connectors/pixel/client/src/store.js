// What the browser keeps: cookies shared with Hellotext's own client (contracts/hellotext A4), and the queue.

const TEN_YEARS = 315360000;
const QUEUE = "hello_queue";
const LONGEST_QUEUE = 1000;
const LARGEST_QUEUE = 500000; // letters; the shop's own scripts want of the five million, too

// Sandboxed frames and some people's settings throw where other browsers only forget.
export const attempt = (ask) => {
  try {
    return ask();
  } catch (_) {
    return undefined;
  }
};

export const readCookie = (name) => {
  const found = (attempt(() => document.cookie) || "").split("; ").find((pair) => pair.startsWith(name + "="));
  return found ? found.slice(name.length + 1) : undefined;
};

// Shops of many merchants stand side by side under these (contracts/hellotext A4).
const shared = /^(myvtex\.com|vtexcommercestable\.com\.br|myshopify\.com|wixsite\.com)$/;

// The shortest domain that the browser accepts is the shop's own: public suffixes are refused.
const domains = () => {
  const labels = location.hostname.split(".");
  const found = [];
  for (let from = labels.length - 2; from >= 0; from--) {
    const domain = labels.slice(from).join(".");
    if (!shared.test(domain)) found.push("; domain=" + domain);
  }
  return found.concat("");
};

export const writeCookie = (name, value, age = TEN_YEARS) => {
  const secure = location.protocol === "https:" ? "; Secure" : "";
  for (const domain of domains()) {
    attempt(() => (document.cookie = `${name}=${value}; path=/; max-age=${age}; SameSite=Lax${secure}${domain}`));
    if (age <= 0 ? false : readCookie(name) === value) return;
  }
};

export const dropCookie = (name) => writeCookie(name, "", 0);

export const readQueue = () => {
  const kept = attempt(() => JSON.parse(localStorage.getItem(QUEUE)));
  return Array.isArray(kept) ? kept.filter((event) => event && event.event_id) : [];
};

// Other pages keep theirs in the same place: of what stands there, only what this one has done with is taken away.
export const writeQueue = (queue, done) => {
  const own = new Set(queue.map((event) => event.event_id));
  const others = readQueue().filter((event) => !own.has(event.event_id) && !done.has(event.event_id));
  let kept = others.concat(queue).slice(-LONGEST_QUEUE);
  const fits = () => {
    const text = JSON.stringify(kept);
    if (text.length > LARGEST_QUEUE) return false;
    localStorage.setItem(QUEUE, text);
    return true;
  };
  // Full storage keeps the latest that find room, forbidden storage none: then the queue lives as long as the page does.
  while (kept.length && !attempt(fits)) kept = kept.slice((kept.length >> 2) + 1);
  if (!kept.length) dropQueue();
};

export const dropQueue = () => attempt(() => localStorage.removeItem(QUEUE));

// What holds for a visit; for the page, where the browser keeps nothing.
const noted = {};

export const recall = (name) => noted[name] || attempt(() => sessionStorage.getItem(name));

export const note = (name, value) => {
  noted[name] = value;
  attempt(() => sessionStorage.setItem(name, value));
};
