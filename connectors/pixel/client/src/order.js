// VTEX's order, as its storefront message and its checkout's dataLayer tell it alike (contracts/vtex NOTES 6.1), amounts
// in major units.

export const money = (value, currency) => (value == null ? undefined : { amount: value, currency });

const orderItem = (item, currency) => ({
  quantity: item.quantity,
  price: money(item.sellingPrice != null ? item.sellingPrice : item.price, currency),
  product: { reference: item.id, sku: item.sku, name: item.name, source: "vtex", brand: item.brand },
});

// The page tells it again on every reload: one order, one id.
export const placed = (event) => {
  const currency = event.transactionCurrency || event.currency;
  const [email, first_name, last_name] = event.visitorContactInfo || [];
  return {
    event_id: "order.placed/" + event.orderGroup,
    amount: event.transactionTotal,
    currency: event.transactionTotal == null ? undefined : currency,
    user_parameters: { email, first_name, last_name, phone: event.visitorContactPhone, source: "vtex" },
    object_parameters: {
      reference: event.orderGroup, source: "vtex", coupon: event.coupon || undefined,
      orders: event.ordersInOrderGroup, items: (event.transactionProducts || []).map((item) => orderItem(item, currency)),
    },
  };
};
