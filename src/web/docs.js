// @ts-check

/** The reference is whole without this: it makes examples name this server, and adds a button that copies them. */
for (const block of document.querySelectorAll("figure")) {
  const code = block.querySelector("code");
  const caption = block.querySelector("figcaption");
  if (!code || !caption) continue;
  code.textContent = (code.textContent ?? "").replaceAll("http://localhost:8000", location.origin);
  if (!navigator.clipboard) continue; // over plain HTTP from another machine
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(code.textContent ?? "");
    button.textContent = "Copied";
    setTimeout(() => button.textContent = "Copy", 2000);
  });
  caption.append(button);
}

// A narrow window begins with the reference, not with three screens of its contents.
const contents = document.querySelector("nav details");
if (contents instanceof HTMLDetailsElement && matchMedia("(max-width: 62rem)").matches) contents.open = false;

export {};
