// Copies at one press. Without this script, or where it may not, the link leads to the text, to be copied by hand.
for (const link of document.querySelectorAll("[data-copy]")) {
  link.addEventListener("click", async (event) => {
    event.preventDefault();
    try {
      await navigator.clipboard.writeText(document.getElementById(link.dataset.copy).value);
    } catch {
      location.assign(link.href);
      return;
    }
    document.getElementById("copied").textContent = "Copied.";
    fetch(link.href, { redirect: "manual", referrerPolicy: "no-referrer", credentials: "omit" }).catch(() => {});
  });
}
