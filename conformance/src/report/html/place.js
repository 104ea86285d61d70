// What is shown stands behind the # of the address, so that a link or a reload shows it again.

const place = {
  read: () => Object.fromEntries(new URLSearchParams(location.hash.slice(1))),

  /** Changes some parameters; empty ones are dropped. Opening a case is a step back in history. */
  write(changes, { step = false } = {}) {
    const all = { ...place.read(), ...changes };
    const kept = Object.entries(all).filter(([, value]) => value);
    const hash = `#${new URLSearchParams(kept)}`;
    if (hash === location.hash || (hash === "#" && location.hash === "")) return;
    history[step ? "pushState" : "replaceState"](null, "", hash);
  },
};
