// A picture as large as the screen, and across it on a phone that is held upright. Where a browser fills the screen with
// a video of its own only (iPhone), the picture fills the page.
for (const button of document.querySelectorAll("[data-fill]")) {
  const box = button.closest(".screen");
  button.hidden = false;
  button.addEventListener("click", () => isFull(box) ? leave(box) : enter(box));
}

document.addEventListener("fullscreenchange", tell);
document.addEventListener("keydown", ({ key }) => {
  if (key === "Escape") for (const box of document.querySelectorAll(".filled")) leave(box);
});

function isFull(box) {
  return document.fullscreenElement === box || box.classList.contains("filled");
}

async function enter(box) {
  const { videoWidth, videoHeight } = box.querySelector("video");
  const wide = videoWidth >= videoHeight;
  if (box.requestFullscreen) {
    await box.requestFullscreen({ navigationUI: "hide" });
    screen.orientation?.lock?.(wide ? "landscape" : "portrait").catch(() => {});       // a desk has nothing to turn
  } else {
    box.classList.add("filled");
    box.classList.toggle("across", wide);
    document.body.classList.add("held");
    tell();
  }
}

function leave(box) {
  if (document.fullscreenElement) return document.exitFullscreen();
  box.classList.remove("filled", "across");
  document.body.classList.remove("held");
  tell();
}

function tell() {
  for (const button of document.querySelectorAll("[data-fill]")) {
    button.setAttribute("aria-label", isFull(button.closest(".screen")) ? button.dataset.leave : button.dataset.fill);
  }
}
