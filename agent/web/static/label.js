// A label's QR code leads here with the pairing code behind "#", which no browser sends to anybody. The page that tells
// of the warning hands it on, the form takes it in, and the address bar forgets it.
const code = location.hash.slice(1);
if (/^[0-9A-Z-]{8,20}$/i.test(code)) {
  for (const link of document.querySelectorAll("a.button, a.language")) link.hash = code;
  const field = document.getElementById("code");
  if (field) {
    field.value = code;
    history.replaceState(null, "", location.pathname + location.search);
  }
}
