// <script async src="https://COLLECTOR/v1/pixel.js" data-business="ID"></script> is all a page needs.

import { Hellotext } from "./core.js";

export const start = (script, config = {}) => {
  window.Hellotext = Hellotext;
  if (!script || !script.dataset.business) return;
  const { business, consent } = script.dataset;
  const apiRoot = script.src.replace(/\/[^/]*$/, "");
  Hellotext.initialize(business, Object.assign({ apiRoot, requireConsent: consent === "required" }, config));
};
