import { start } from "./start.js";
import { listen } from "./vtex.js";

const script = document.currentScript;
const client = start(script);
if (!client.listens && (!script || script.dataset.vtex !== "off")) {
  client.listens = true;
  listen({
    track: (action, params) => client.isInitialized && client.track(action, params),
    identify: (id, options) => client.isInitialized && client.identify(id, options),
  });
}
