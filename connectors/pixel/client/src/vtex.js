// VTEX's storefront messages as Hellotext's actions (contracts/vtex NOTES 6 and 7). Any script on the page can forge
// them, so they are only ever told on, never trusted.

import { money, placed } from "./order.js";

// A cart item's price is in cents when priceIsInt says so; viewCart's is unless it says otherwise (NOTES 6).
const cartItem = (item, currency, cents) => ({
  quantity: item.quantity,
  price: money((item.priceIsInt === true || (cents && item.priceIsInt !== false) ? 0.01 : 1) * item.price, currency),
  product: {
    reference: item.productId || item.id, sku: item.skuId || item.id, name: item.name, source: "vtex", brand: item.brand,
    categories: item.category ? [item.category] : undefined, image_url: item.imageUrl, url: item.detailUrl,
  },
});

const round = (items) =>
  items.map((item) => {
    if (item.price) item.price.amount = Math.round(item.price.amount * 100) / 100;
    return item;
  });

export const listen = (hellotext) => {
  let cart;
  const track = (action, params) => hellotext.track(action, cart ? Object.assign({ order_form: cart }, params) : params);
  const items = (action, cents) => (event) =>
    track(action, {
      object_parameters: {
        items: round((event.items || []).map((item) => cartItem(item, event.currency, cents))), source: "vtex",
      },
    });
  const searched = (event) =>
    event.search &&
    track("search.performed", { metadata: { term: event.search.term, results: event.search.results } });

  const handlers = {
    pageView: (event) => track("page.viewed", { url: event.pageUrl }),
    pageInfo: (event) => event.eventType === "internalSiteSearchView" && searched(event),
    internalSiteSearchView: searched,
    productView: ({ product, currency }) => {
      const sku = product.selectedSku || (product.items || [])[0] || {};
      const offer = ((sku.sellers || []).find((seller) => seller.sellerDefault) || (sku.sellers || [])[0] || {}).commertialOffer;
      track("product.viewed", {
        object_parameters: {
          reference: product.productId, sku: sku.itemId, name: product.productName, source: "vtex", brand: product.brand,
          url: product.detailUrl, categories: product.categories, price: offer && money(offer.Price, currency),
        },
      });
    },
    addToCart: items("cart.added"),
    removeFromCart: items("cart.removed"),
    viewCart: items("cart.viewed", true),
    beginCheckout: items("checkout.started"),
    cartId: (event) => (cart = event.cartId),
    cartLoaded: (event) => (cart = (event.orderForm || {}).id || cart),
    userData: (event) => {
      const id = event.id || event.email;
      if (id && event.isAuthenticated) {
        const { email, phone, firstName, lastName, document } = event;
        hellotext.identify(id, { email, phone, firstName, lastName, document, source: "vtex" });
      }
    },
    orderPlaced: (event) => track("order.placed", placed(event)),
  };

  // FastStore speaks GA4 (NOTES 7), amounts in major units.
  const ga4 = { view_item: "product.viewed", add_to_cart: "cart.added", remove_from_cart: "cart.removed",
    view_cart: "cart.viewed", begin_checkout: "checkout.started", page_view: "page.viewed" };
  const faststore = (name, { params = {} }) => {
    const list = (params.items || []).map((item) => ({
      quantity: item.quantity, price: money(item.price, params.currency),
      product: { reference: item.item_id, name: item.item_name, brand: item.item_brand, source: "vtex" },
    }));
    if (name === "search") track("search.performed", { metadata: { term: params.search_term } });
    else if (name === "page_view") track("page.viewed", { url: params.page_location });
    else if (name === "view_item" && list[0]) track(ga4[name], { object_parameters: Object.assign({ price: list[0].price }, list[0].product) });
    else if (ga4[name]) track(ga4[name], { object_parameters: { items: list, source: "vtex" } });
  };

  addEventListener("message", ({ data, source }) => {
    if (!data || (source && source !== window)) return;
    try {
      if (data.name === "AnalyticsEvent" && data.params) faststore(String(data.params.name).replace("store:", ""), data.params);
      else if (typeof data.eventName === "string" && data.eventName.startsWith("vtex:")) {
        const handler = handlers[data.eventName.slice(5)];
        if (handler) handler(data);
      }
    } catch (_) {
      return; // a malformed message stops only itself
    }
  });
};
