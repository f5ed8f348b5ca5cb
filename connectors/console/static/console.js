// Live pages, copying, and small comforts; every page works without it.
"use strict";
(() => {
  const body = document.body;

  // The server says that something changed; the page asks for itself again and swaps the parts that may differ.
  let version = body.dataset.version;
  let asking = false;
  let again = false;
  let source = null;
  const pulse = document.getElementById("pulse");

  function show(state) {
    if (!pulse) return;
    pulse.hidden = false;
    pulse.classList.toggle("lost", state !== "live");
    const text = pulse.lastElementChild;
    const told = state === "live" ? "Live" : "Reconnecting…";
    if (text.textContent !== told) text.textContent = told;
  }

  // Not while somebody reads a menu, marks text or scrolls a list inside the part.
  function held(part) {
    const selection = window.getSelection();
    if (selection && !selection.isCollapsed && part.contains(selection.anchorNode)) return true;
    return Boolean(part.querySelector("details[open]") || part.matches("details[open]"));
  }

  function swap(old, fresh) {
    if (old.isEqualNode(fresh) || held(old)) return;
    const within = old.contains(document.activeElement) ? document.activeElement : null;
    const at = within && [...old.querySelectorAll("a, button, summary, [tabindex]")].indexOf(within);
    const scrolled = [...old.querySelectorAll(".scroll, .stream, .letters")].map((each) => [each.scrollLeft, each.scrollTop]);
    old.replaceWith(fresh);
    [...fresh.querySelectorAll(".scroll, .stream, .letters")].forEach((each, place) => {
      if (scrolled[place]) [each.scrollLeft, each.scrollTop] = scrolled[place];
    });
    if (within && at >= 0) fresh.querySelectorAll("a, button, summary, [tabindex]")[at]?.focus({ preventScroll: true });
  }

  async function refresh() {
    if (document.hidden) return;
    if (asking) {
      again = true; // what changes while the page is being fetched is fetched after it
      return;
    }
    asking = true;
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store" });
      if (!answer.ok) return;
      if (answer.redirected) return location.reload();
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const old of document.querySelectorAll("[data-live]")) {
        const part = fresh.querySelector(`[data-live="${CSS.escape(old.dataset.live)}"]`);
        if (part) swap(old, document.importNode(part, true));
      }
      version = fresh.body.dataset.version;
    } catch {
      show("lost"); // the stream reconnects by itself, and tells when there is something new
    } finally {
      asking = false;
      if (again) {
        again = false;
        setTimeout(refresh, 0);
      }
    }
  }

  function open() {
    if (source || !body.dataset.changes) return;
    source = new EventSource(body.dataset.changes);
    source.onopen = () => show("live");
    source.onerror = () => {
      show("lost");
      if (source && source.readyState === EventSource.CLOSED) {
        source = null;
        setTimeout(() => !document.hidden && open(), 10000);
      }
    };
    source.onmessage = (event) => event.data !== version && refresh();
  }

  // A hidden page holds no connection: a browser has only six to one host.
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      source?.close();
      source = null;
    } else open();
  });
  if (!document.hidden) open();
  // "3 minutes ago" grows old by itself.
  if (body.dataset.changes) setInterval(refresh, 30000);

  for (const button of document.querySelectorAll("[data-copy]")) {
    if (navigator.clipboard) button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(button.parentElement.querySelector("code").textContent);
      button.textContent = "Copied";
      setTimeout(() => (button.textContent = "Copy"), 1500);
    });
  }

  for (const form of document.querySelectorAll("form[method=post]")) {
    form.addEventListener("submit", (event) => {
      const button = event.submitter;
      if (!button?.dataset.busy || form.target) return;
      if (button.hasAttribute("aria-busy")) return event.preventDefault();
      button.setAttribute("aria-busy", "true");
      button.dataset.text = button.textContent;
      button.textContent = button.dataset.busy;
    });
  }
  window.addEventListener("pageshow", () => {
    for (const button of document.querySelectorAll("[aria-busy]")) {
      button.removeAttribute("aria-busy");
      button.textContent = button.dataset.text;
    }
  });

  // What the country's own time zone and currency are.
  const country = document.querySelector("select[data-defaults]");
  const tell = () => {
    const chosen = country.selectedOptions[0];
    for (const [name, value] of [["timezone", chosen?.dataset.zone], ["currency", chosen?.dataset.currency]]) {
      const own = document.getElementById(name).options[0];
      own.textContent = value || "Choose one";
    }
  };
  if (country) {
    country.addEventListener("change", tell);
    tell();
  }

  document.addEventListener("click", (event) => {
    for (const menu of document.querySelectorAll("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  });
})();
