// <script async src="https://COLLECTOR/v1/pixel.js" data-business="ID"></script> is all a page needs.

import { Hellotext } from "./core.js";

Hellotext.ours = true;

// Returns the page's one client: a tag manager and a theme may both load us, and then each event would be told twice.
export const start = (script) => {
  const client = window.Hellotext && window.Hellotext.ours ? window.Hellotext : (window.Hellotext = Hellotext);
  if (!script || !script.dataset.business || client.isInitialized) return client;
  const { business, consent, session } = script.dataset;
  const apiRoot = new URL(".", script.src).href;
  client.initialize(business, { apiRoot, requireConsent: consent === "required", keepSession: session === "collector" });
  return client;
};
