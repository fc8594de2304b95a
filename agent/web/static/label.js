// A label's QR code leads here with the pairing code behind "#", which no browser sends. The page about the warning
// passes it on, the form gets it, and it is removed from the address bar.
const code = location.hash.slice(1);
if (/^[0-9A-Z-]{8,20}$/i.test(code)) {
  for (const link of document.querySelectorAll("a.button, a.language")) link.hash = code;
  const field = document.getElementById("code");
  if (field) {
    field.value = code;
    history.replaceState(null, "", location.pathname + location.search);
  }
}
