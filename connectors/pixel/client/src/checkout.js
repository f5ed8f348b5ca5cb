// For checkout6-custom.js and the confirmation's custom script: pixel apps do not run in VTEX's checkout (contracts/vtex
// NOTES 6). There the dataLayer tells the order, for FastStore shops nothing else does (NOTES 7).

import { placed } from "./order.js";
import { start } from "./start.js";
import { attempt, note, recall } from "./store.js";

const client = start(document.currentScript);
const started = "hello_checkout_";

const major = (cents) => (cents == null ? undefined : cents / 100);

const order = (form, currency) => ({
  reference: form.orderFormId,
  source: "vtex",
  items: (form.items || []).map((item) => ({
    quantity: item.quantity,
    price: { amount: major(item.sellingPrice), currency },
    product: { reference: item.productId, sku: item.id, name: item.name, source: "vtex" },
  })),
});

const changed = (form) => {
  if (!client.isInitialized) return;
  const shopper = form.clientProfileData || {};
  const currency = (form.storePreferencesData || {}).currencyCode;
  const { email, firstName, lastName, phone, document } = shopper;
  if (email) client.identify(email, { email, firstName, lastName, phone, document, source: "vtex" });
  if (!(form.items || []).length || recall(started + form.orderFormId)) return;
  note(started + form.orderFormId, 1);
  client.track("checkout.started", {
    event_id: "checkout.started/" + form.orderFormId,
    order_form: form.orderFormId,
    amount: major(form.value),
    currency,
    object_parameters: order(form, currency),
  });
};

const layered = (entry) => {
  if (entry && entry.event === "orderPlaced" && entry.orderGroup && client.isInitialized) {
    client.track("order.placed", placed(entry));
  }
};

// The checkout goes on, and what the page pushes is pushed, whatever becomes of our part.
const layer = (window.dataLayer = window.dataLayer || []);
const push = layer.push;
layer.forEach((entry) => attempt(() => layered(entry)));
layer.push = (...entries) => {
  entries.forEach((entry) => attempt(() => layered(entry)));
  return push.apply(layer, entries);
};

if (window.jQuery) window.jQuery(window).on("orderFormUpdated.vtex", (_, form) => attempt(() => form && changed(form)));
if (window.vtexjs && window.vtexjs.checkout && window.vtexjs.checkout.orderForm) {
  attempt(() => changed(window.vtexjs.checkout.orderForm));
}
