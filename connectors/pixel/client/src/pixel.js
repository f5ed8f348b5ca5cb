import { Hellotext } from "./core.js";
import { start } from "./start.js";
import { listen } from "./vtex.js";

const script = document.currentScript;
start(script);
if (!script || script.dataset.vtex !== "off") listen({
  track: (action, params) => Hellotext.isInitialized && Hellotext.track(action, params),
  identify: (id, options) => Hellotext.isInitialized && Hellotext.identify(id, options),
});
