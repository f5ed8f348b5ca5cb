// The shop's own script: a cart in the browser, and the messages that VTEX's storefront posts (contracts/vtex NOTES 6).
"use strict";

const data = JSON.parse(document.getElementById("shop-data").textContent);
const kind = document.body.dataset.page;
const key = (name) => `sandbox-${data.account}-${name}`;
const read = (name, otherwise) => JSON.parse(localStorage.getItem(key(name)) || "null") ?? otherwise;
const write = (name, value) => localStorage.setItem(key(name), JSON.stringify(value));
const find = (selector) => document.querySelector(selector);

// The pixel loads beside this script: what is posted before it listens would be lost.
const pixel = find("script[data-business]");
const listening = window.Hellotext
  ? Promise.resolve()
  : new Promise((done) => ["load", "error"].forEach((name) => pixel.addEventListener(name, done)));
const post = (name, fields = {}) =>
  listening.then(() => window.postMessage({ currency: data.currency, eventName: `vtex:${name}`, ...fields }, window.origin));

const whole = data.currency === "CLP" || data.currency === "COP";
const money = (hundredths) =>
  `${data.currency} ${(hundredths / 100).toLocaleString(undefined, { minimumFractionDigits: whole ? 0 : 2 })}`;

const cart = read("cart", {});
const cartId = read("cart-id") || crypto.randomUUID();
write("cart-id", cartId);

const items = () =>
  Object.entries(cart).map(([sku, quantity]) => {
    const product = data.products[sku];
    return {
      id: sku, skuId: sku, productId: product.id, name: product.name, brand: product.brand, category: product.category,
      price: product.price, sellingPrice: product.price, priceIsInt: true, quantity, detailUrl: `/${product.slug}/p`,
    };
  });
const sum = () => items().reduce((total, item) => total + item.price * item.quantity, 0);
const shipping = () => data.shipping * new Set(Object.keys(cart).map((sku) => data.products[sku].seller)).size;

const save = () => {
  write("cart", cart);
  find("#pieces").textContent = Object.values(cart).reduce((all, quantity) => all + quantity, 0);
};

// VTEX remembers the campaign of the visit by itself, in its session.
const query = new URLSearchParams(location.search);
if (query.get("utm_source")) {
  write("utm", { source: query.get("utm_source"), medium: query.get("utm_medium"), campaign: query.get("utm_campaign") });
}

const product = () => {
  const shown = data.products[find("[data-sku]").dataset.sku];
  const offer = { sellerId: shown.seller, sellerDefault: true, commertialOffer: { Price: shown.price / 100, AvailableQuantity: 9 } };
  const item = { itemId: shown.sku, name: shown.name, sellers: [offer] };
  post("productView", {
    product: {
      productId: shown.id, productName: shown.name, brand: shown.brand, categories: [`/${shown.category}/`],
      detailUrl: `/${shown.slug}/p`, items: [item], selectedSku: item,
    },
  });
  find("#add").addEventListener("click", (event) => {
    cart[shown.sku] = (cart[shown.sku] || 0) + 1;
    save();
    event.target.textContent = "In the cart";
    post("cartId", { cartId });
    post("addToCart", { items: items().filter((entry) => entry.skuId === shown.sku) });
  });
};

const lines = () => {
  const list = find("#lines");
  list.replaceChildren(
    ...items().map((item) => {
      const line = document.createElement("li");
      const remove = document.createElement("button");
      remove.textContent = "Remove";
      remove.addEventListener("click", () => {
        delete cart[item.skuId];
        save();
        post("removeFromCart", { items: [item] });
        lines();
      });
      line.append(`${item.quantity} × ${item.name}, ${money(item.price * item.quantity)} `, remove);
      return line;
    }),
  );
  find("#sum").textContent = items().length ? `Together ${money(sum())}` : "The cart is empty.";
  find("#go").hidden = !items().length;
};

const orderForm = (fields) => ({
  orderFormId: cartId, value: sum() + shipping(), storePreferencesData: { currencyCode: data.currency },
  items: items().map((item) => ({ ...item, productId: item.productId })), clientProfileData: fields,
});

const checkout = () => {
  const form = find("#buy");
  const fields = () => Object.fromEntries(new FormData(form));
  form.email.value = read("email", "");
  find("#sum").textContent = `${money(sum() + shipping())}, shipping included`;
  const told = () => listening.then(() => window.orderFormUpdated(orderForm(form.email.validity.valid ? fields() : {})));
  told();
  form.addEventListener("change", told);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const wanted = items().map(({ skuId, quantity }) => ({ sku: skuId, quantity }));
    const body = JSON.stringify({ ...fields(), items: wanted, cart: cartId, utm: read("utm") });
    const answer = await fetch(`${data.base}/orders`, { method: "POST", body });
    const order = await answer.json();
    if (!answer.ok) {
      find("#problem").textContent = order.error;
      return;
    }
    write("order", order);
    write("cart", {});
    localStorage.removeItem(key("cart-id"));
    location.href = `${data.base}/checkout/orderPlaced?og=${order.orderGroup}`;
  });
};

const placed = () => {
  const order = read("order");
  if (!order) return;
  find("#group").textContent = order.orderGroup;
  post("orderPlaced", { ...order, accountName: data.account, transactionId: order.orderGroup });
};

save();
if (kind !== "checkout") {
  post("pageView", { pageTitle: document.title, pageUrl: location.href, accountName: data.account });
  const email = read("email");
  if (email) post("userData", { email, id: email, isAuthenticated: true });
}
({ product, cart: lines, checkout, placed })[kind]?.();

find("#login").addEventListener("submit", (event) => {
  event.preventDefault();
  const email = event.target.email.value;
  write("email", email);
  if (email) post("userData", { email, id: email, isAuthenticated: true });
  event.target.querySelector("button").textContent = email ? "Logged in" : "Logged out";
});
find("#login").email.value = read("email", "");
find("#consent").checked = read("consent", true);
find("#consent").addEventListener("change", ({ target }) => {
  write("consent", target.checked);
  window.Hellotext?.setConsent(target.checked ? "granted" : "denied");
});
