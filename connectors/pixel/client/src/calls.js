// (window.HellotextCalls = window.HellotextCalls || []).push([Date.now(), "track", "cart.added", {}]): what a page tells
// before an async script is there, without a stub. It means the same afterwards (docs/collector.md).

export const takeCalls = (run) => {
  const take = (call) => {
    try {
      const [at, name, ...given] = typeof call[0] === "string" ? [Date.now(), ...call] : call;
      run(at, name, given);
    } catch (error) {
      console.error("HellotextCalls:", call, error); // the others are told
    }
  };
  const early = Array.isArray(window.HellotextCalls) ? window.HellotextCalls : [];
  window.HellotextCalls = early;
  early.push = (...calls) => calls.forEach(take);
  early.splice(0).forEach(take);
};
