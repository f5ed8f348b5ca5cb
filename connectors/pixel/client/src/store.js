// What the browser keeps: cookies shared with Hellotext's own client (contracts/hellotext A4), and the queue.

const TEN_YEARS = 315360000;
const QUEUE = "hello_queue";
const LONGEST_QUEUE = 200;

export const readCookie = (name) => {
  const found = document.cookie.split("; ").find((pair) => pair.startsWith(name + "="));
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
    document.cookie = `${name}=${value}; path=/; max-age=${age}; SameSite=Lax${secure}${domain}`;
    if (age <= 0 ? false : readCookie(name) === value) return;
  }
};

export const dropCookie = (name) => writeCookie(name, "", 0);

export const readQueue = () => {
  try {
    return JSON.parse(localStorage.getItem(QUEUE)) || [];
  } catch (_) {
    return [];
  }
};

// Full or forbidden storage must not stop the page: then the queue lives as long as the page does.
export const writeQueue = (queue) => {
  try {
    if (queue.length) localStorage.setItem(QUEUE, JSON.stringify(queue.slice(-LONGEST_QUEUE)));
    else localStorage.removeItem(QUEUE);
  } catch (_) {
    return;
  }
};
